package store

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
)

// auditPage is how many rows a check of the log reads at a time.
const auditPage = 2000

// AuditSource lays the stored log out for checking and export, as large as it is at the time of
// the call, and a page at a time, so that a log of any size is read in bounded memory.
func (s *Store) AuditSource(ctx context.Context) (audit.Source, error) {
	var size int64
	err := s.pool.QueryRow(ctx, `SELECT greatest((SELECT coalesce(max(size), 0) FROM audit_checkpoint), coalesce((SELECT index + octet_length(hashes) / 32 FROM audit_leaf ORDER BY index DESC LIMIT 1), 0))`).Scan(&size)
	if err != nil {
		return audit.Source{}, wrap(err, "measure the log")
	}
	return audit.Source{
		Records:     s.auditRecords(ctx, size),
		Checkpoints: s.auditCheckpoints(ctx, size),
		Unlogged:    s.unloggedEntries(ctx),
		Decisions:   s.auditDecisions(ctx),
	}, nil
}

// paged reads pages until one comes back short; after gives the next page's start.
func paged[T any](page func(last *T) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *T
		for {
			rows, err := page(last)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range rows {
				if !yield(rows[i], nil) {
					return
				}
			}
			if len(rows) < auditPage {
				return
			}
			last = &rows[len(rows)-1]
		}
	}
}

// leafPage is how many batches of the log are read at a time.
const leafPage = 50

// leafRow is a batch in the log.
type leafRow struct {
	Index  int64
	Batch  [16]byte
	Hashes []byte
}

func (s *Store) auditRecords(ctx context.Context, size int64) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for from := int64(-1); ; {
			leaves, entries, err := s.auditLeaves(ctx, from, size)
			if err != nil {
				yield(audit.Record{}, err)
				return
			}
			for _, leaf := range leaves {
				if !yieldRecords(leaf, entries, yield) {
					return
				}
				from = leaf.Index
			}
			if len(leaves) < leafPage {
				return
			}
		}
	}
}

// auditLeaves reads a page of batches after an index, with the entries that they have today.
func (s *Store) auditLeaves(ctx context.Context, after, size int64) ([]leafRow, map[audit.EntryName]*audit.Draft, error) {
	rows, err := s.pool.Query(ctx, `SELECT index, batch_id, hashes FROM audit_leaf WHERE index > $1 AND index < $3 ORDER BY index LIMIT $2`, after, leafPage, size)
	if err != nil {
		return nil, nil, wrap(err, "read the log")
	}
	leaves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[leafRow])
	if err != nil {
		return nil, nil, wrap(err, "read the log")
	}
	batches := make([][16]byte, len(leaves))
	for i := range leaves {
		batches[i] = leaves[i].Batch
	}
	if rows, err = s.pool.Query(ctx, selectEntries+` WHERE batch_id = ANY($1)`, batches); err != nil {
		return nil, nil, wrap(err, "read the log")
	}
	found, err := pgx.CollectRows(rows, scanEntry)
	entries := make(map[audit.EntryName]*audit.Draft, len(found))
	for i := range found {
		name := found[i].Name
		if entries[name] != nil { // kept twice, in a run and beside it: which one is right cannot be told, so neither is
			entries[name] = &audit.Draft{}
			continue
		}
		entries[name] = &found[i].Draft
	}
	return leaves, entries, wrap(err, "read the log")
}

func yieldRecords(leaf leafRow, entries map[audit.EntryName]*audit.Draft, yield func(audit.Record, error) bool) bool {
	for i, hash := range unpackHashes(leaf.Hashes) {
		name := audit.EntryName{BatchID: leaf.Batch, ID: int32(i)}
		record := audit.Record{Index: uint64(leaf.Index) + uint64(i), Leaf: hash, Name: name, Entry: entries[name]} //nolint:gosec // bounded by a check constraint
		if !yield(record, nil) {
			return false
		}
	}
	return true
}

func (s *Store) auditCheckpoints(ctx context.Context, size int64) iter.Seq2[[]byte, error] {
	type sized struct {
		size int64
		note []byte
	}
	pages := paged(func(last *sized) ([]sized, error) {
		after := int64(-1)
		if last != nil {
			after = last.size
		}
		rows, err := s.pool.Query(ctx, `SELECT size, note FROM audit_checkpoint WHERE size > $1 AND size <= $3 ORDER BY size LIMIT $2`, after, auditPage, size)
		if err != nil {
			return nil, wrap(err, "read checkpoints")
		}
		notes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c sized, err error) {
			err = row.Scan(&c.size, &c.note)
			return c, err
		})
		return notes, wrap(err, "read checkpoints")
	})
	return func(yield func([]byte, error) bool) {
		for c, err := range pages {
			if !yield(c.note, err) {
				return
			}
		}
	}
}

// unloggedEntries finds entries without a leaf: those too new to be in the log, and those that
// somebody slipped in.
func (s *Store) unloggedEntries(ctx context.Context) iter.Seq2[audit.Entry, error] {
	return paged(func(last *audit.Entry) ([]audit.Entry, error) {
		var after audit.EntryName
		if last != nil {
			after = last.Name
		}
		rows, err := s.pool.Query(ctx, selectEntries+` e
			WHERE (batch_id, id) > ($1, $2) AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.batch_id = e.batch_id AND e.id < octet_length(l.hashes) / 32)
			ORDER BY batch_id, id LIMIT $3`, [16]byte(after.BatchID), after.ID, auditPage)
		if err != nil {
			return nil, wrap(err, "read entries outside the log")
		}
		entries, err := pgx.CollectRows(rows, scanEntry)
		return entries, wrap(err, "read entries outside the log")
	})
}

func (s *Store) auditDecisions(ctx context.Context) iter.Seq2[audit.StoredDecision, error] {
	return paged(func(last *audit.StoredDecision) ([]audit.StoredDecision, error) {
		after := []byte{}
		if last != nil {
			after = last.Hash[:]
		}
		rows, err := s.pool.Query(ctx, `SELECT hash, revision_id, input, outcome FROM decision WHERE hash > $1 ORDER BY hash LIMIT $2`, after, auditPage)
		if err != nil {
			return nil, wrap(err, "read decisions")
		}
		decisions, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d audit.StoredDecision, err error) {
			var hash []byte
			err = row.Scan(&hash, &d.Revision, &d.Input, &d.Outcome)
			copy(d.Hash[:], hash)
			return d, err
		})
		return decisions, wrap(err, "read decisions")
	})
}
