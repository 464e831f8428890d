package store

// Distribute has the store send the statements that it sends where Citus distributes the tables.
func (s *Store) Distribute() { s.distributed = true }
