package store

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// auditPage is how many rows a check of the log reads at a time.
const auditPage = 2000

// AuditSource lays the stored log out for checking and export, as large as it is at the time of
// the call, and a page at a time, so that a log of any size is read in bounded memory.
func (s *Store) AuditSource(ctx context.Context) (audit.Source, error) {
	var size int64
	err := s.pool.QueryRow(ctx, `SELECT greatest((SELECT coalesce(max(size), 0) FROM audit_checkpoint), (SELECT coalesce(max(index) + 1, 0) FROM audit_leaf))`).Scan(&size)
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

func (s *Store) auditRecords(ctx context.Context, size int64) iter.Seq2[audit.Record, error] {
	return paged(func(last *audit.Record) ([]audit.Record, error) {
		from := int64(-1)
		if last != nil {
			from = int64(last.Index) //nolint:gosec // a log never reaches 2^63
		}
		rows, err := s.pool.Query(ctx, `
			SELECT l.index, l.hash, l.batch_id, l.id, e.batch_id, e.id, e.at, e.action, e.client, e.request_id, e.subject_id, e.purpose, e.decision_hash, e.roles, e.attributes
			FROM audit_leaf l LEFT JOIN audit_entry e ON e.batch_id = l.batch_id AND e.id = l.id
			WHERE l.index > $1 AND l.index < $3 ORDER BY l.index LIMIT $2`, from, auditPage, size)
		if err != nil {
			return nil, wrap(err, "read the log")
		}
		records, err := pgx.CollectRows(rows, scanRecord)
		return records, wrap(err, "read the log")
	})
}

func scanRecord(row pgx.CollectableRow) (audit.Record, error) {
	var (
		r                                audit.Record
		index                            int64
		leaf, decision                   []byte
		batch, subject                   *[16]byte
		id                               *int32
		at                               *time.Time
		action, client, request, purpose *string
		roles                            []privacy.Role
		attributes                       []privacy.AttributeName
	)
	err := row.Scan(&index, &leaf, (*[16]byte)(&r.Name.BatchID), &r.Name.ID, &batch, &id, &at, &action, &client, &request, &subject, &purpose, &decision, &roles, &attributes)
	if err != nil {
		return r, err
	}
	r.Index = uint64(index) //nolint:gosec // bounded by a check constraint
	copy(r.Leaf[:], leaf)
	if batch == nil {
		return r, nil // the entry is gone
	}
	draft := audit.Draft{At: at.UTC(), Action: audit.Action(*action), Client: privacy.ClientID(*client), Roles: roles,
		RequestID: privacy.RequestID(*request), Purpose: privacy.PurposeName(*purpose), Attributes: attributes}
	if subject != nil {
		draft.Subject = *subject
	}
	copy(draft.Decision[:], decision)
	r.Entry = &draft
	return r, nil
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
			WHERE (batch_id, id) > ($1, $2) AND NOT EXISTS (SELECT FROM audit_leaf l WHERE l.batch_id = e.batch_id AND l.id = e.id)
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
