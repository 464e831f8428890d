package store

import (
	"context"
	"time"
)

// KeyPageKnown reports whether a key page was ever made. A page that is known and missing in Vault is a
// loss, and must not be made anew: values sealed under it would silently stop opening.
func (s *Store) KeyPageKnown(ctx context.Context, page int64) (bool, error) {
	var known bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM key_page WHERE page = $1)`, page).Scan(&known)
	return known, wrap(err, "look a key page up")
}

// NoteKeyPage remembers that a key page was made.
func (s *Store) NoteKeyPage(ctx context.Context, page int64, at time.Time) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO key_page (page, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, page, at)
	return wrap(err, "note a key page")
}
