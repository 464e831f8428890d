package store

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Export is a file that a subject takes away; its content lies in chunks beside it.
type Export struct {
	ID            privacy.ExportID
	Subject       privacy.SubjectID
	Request       privacy.RightsRequestID
	BegunAt       time.Time
	ExpiresAt     time.Time
	MadeAt        time.Time // zero: it is being made, or what made it has died
	Size          int64     // in bytes, of the file
	LinkHash      []byte    // nil: there is no link
	LinkExpiresAt time.Time
	FetchedAt     time.Time
}

const selectExport = `SELECT export_id, subject_id, request_id, begun_at, expires_at, made_at, coalesce(size, 0), link_hash, link_expires_at, fetched_at FROM export`

func scanExport(row pgx.CollectableRow) (e Export, err error) {
	var made, link, fetched *time.Time
	err = row.Scan((*[16]byte)(&e.ID), (*[16]byte)(&e.Subject), (*[16]byte)(&e.Request), &e.BegunAt, &e.ExpiresAt, &made, &e.Size, &e.LinkHash, &link, &fetched)
	e.MadeAt, e.LinkExpiresAt, e.FetchedAt = timeOrZero(made), timeOrZero(link), timeOrZero(fetched)
	return e, err
}

var errNoExport = privacy.NotFound("export_not_found", "there is no such export, or it has expired; ask for a new one")

func oneExport(ctx context.Context, q querier, where string, args ...any) (Export, error) {
	rows, err := q.Query(ctx, selectExport+where, args...)
	if err != nil {
		return Export{}, wrap(err, "read an export")
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanExport)
	if isNoRows(err) {
		return e, errNoExport
	}
	return e, wrap(err, "read an export")
}

// Export reads an export by its name alone. KindNotFound when there is none.
func (s *Store) Export(ctx context.Context, id privacy.ExportID) (Export, error) {
	return oneExport(ctx, s.pool, ` WHERE export_id = $1`, [16]byte(id))
}

// ExportOf reads the export that was made for a request. KindNotFound when there is none, or not any more.
func (s *Store) ExportOf(ctx context.Context, subject privacy.SubjectID, request privacy.RightsRequestID) (Export, error) {
	return oneExport(ctx, s.pool, ` WHERE subject_id = $1 AND request_id = $2 AND made_at IS NOT NULL`, [16]byte(subject), [16]byte(request))
}

// ExportOf reads the export that was made for a request of a locked subject.
func (t *Tx) ExportOf(ctx context.Context, subject privacy.SubjectID, request privacy.RightsRequestID) (Export, error) {
	return oneExport(ctx, t.tx, ` WHERE subject_id = $1 AND request_id = $2 AND made_at IS NOT NULL`, [16]byte(subject), [16]byte(request))
}

// Exports lists the exports of a subject that were made, newest first.
func (s *Store) Exports(ctx context.Context, subject privacy.SubjectID) ([]Export, error) {
	rows, err := s.pool.Query(ctx, selectExport+` WHERE subject_id = $1 AND made_at IS NOT NULL ORDER BY export_id DESC LIMIT 1000`, [16]byte(subject))
	if err != nil {
		return nil, wrap(err, "list exports")
	}
	list, err := pgx.CollectRows(rows, scanExport)
	return list, wrap(err, "list exports")
}

// ErrExportDropped is given where an export is gone before it was made: what it was to hold has changed, or was deleted.
var ErrExportDropped = privacy.Conflict("export_dropped", "what is held has changed while the export was made; it is made again")

// BeginExport adds an export to which chunks can be added, before anything is read that goes into it: from then on, whoever deletes or
// changes any of that drops the export, too. KindNotFound when there is no such subject, or when they are erased.
func (s *Store) BeginExport(ctx context.Context, e *Export) error {
	return s.Write(ctx, func(tx *Tx) error {
		if _, err := tx.LockSubject(ctx, e.Subject); err != nil {
			return err
		}
		_, err := tx.tx.Exec(ctx, `INSERT INTO export (subject_id, export_id, request_id, begun_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			[16]byte(e.Subject), [16]byte(e.ID), [16]byte(e.Request), e.BegunAt, e.ExpiresAt)
		return wrap(err, "begin an export")
	})
}

// AppendChunk adds a chunk. ErrExportDropped when the export is gone.
func (s *Store) AppendChunk(ctx context.Context, subject privacy.SubjectID, id privacy.ExportID, number uint32, sealed []byte) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO export_chunk (subject_id, export_id, number, sealed) VALUES ($1, $2, $3, $4)`, [16]byte(subject), [16]byte(id), int64(number), sealed)
	if sqlState(err) == codeForeignKey {
		return ErrExportDropped
	}
	return wrap(err, "write an export")
}

// FinishExport notes that an export was made, and drops what else was made for its request. KindNotFound when the subject was erased
// meanwhile, ErrExportDropped when the export is gone.
func (t *Tx) FinishExport(ctx context.Context, e *Export) error {
	if _, err := t.LockSubject(ctx, e.Subject); err != nil {
		return err
	}
	if _, err := t.tx.Exec(ctx, `DELETE FROM export WHERE subject_id = $1 AND request_id = $2 AND export_id <> $3`, [16]byte(e.Subject), [16]byte(e.Request), [16]byte(e.ID)); err != nil {
		return wrap(err, "drop an export")
	}
	tag, err := t.tx.Exec(ctx, `UPDATE export SET made_at = $3, size = $4 WHERE subject_id = $1 AND export_id = $2 AND made_at IS NULL`, [16]byte(e.Subject), [16]byte(e.ID), e.MadeAt, e.Size)
	if err == nil && tag.RowsAffected() != 1 {
		return ErrExportDropped
	}
	return wrap(err, "finish an export")
}

// UpdateExport writes the link of a locked subject's export, and when it was fetched.
func (w *Writes) UpdateExport(e *Export) {
	w.queue(`UPDATE export SET link_hash = $3, link_expires_at = $4, fetched_at = $5 WHERE subject_id = $1 AND export_id = $2`,
		[16]byte(e.Subject), [16]byte(e.ID), e.LinkHash, nullTime(e.LinkExpiresAt), nullTime(e.FetchedAt))
}

// DropExports deletes what a locked subject could take away: it has values in it that are not to be there any more.
func (t *Tx) DropExports(ctx context.Context, subject privacy.SubjectID) error {
	_, err := t.tx.Exec(ctx, `DELETE FROM export WHERE subject_id = $1`, [16]byte(subject))
	return wrap(err, "drop exports")
}

// DropExport deletes an export that came to nothing. One that was made stays: the commit that finished it may have happened although it
// was reported to have failed.
func (s *Store) DropExport(ctx context.Context, subject privacy.SubjectID, id privacy.ExportID) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM export WHERE subject_id = $1 AND export_id = $2 AND made_at IS NULL`, [16]byte(subject), [16]byte(id))
	return wrap(err, "delete an export")
}

// ChunkPage is how many chunks are read at a time: at 64 KiB each, half a megabyte.
const ChunkPage = 8

// Chunks reads the chunks of an export in order, a few at a time.
func (s *Store) Chunks(ctx context.Context, subject privacy.SubjectID, id privacy.ExportID) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for from := 0; ; from += ChunkPage {
			rows, err := s.pool.Query(ctx, `SELECT sealed FROM export_chunk WHERE subject_id = $1 AND export_id = $2 AND number >= $3 AND number < $4 ORDER BY number`,
				[16]byte(subject), [16]byte(id), from, from+ChunkPage)
			var page [][]byte
			if err == nil {
				page, err = pgx.CollectRows(rows, pgx.RowTo[[]byte])
			}
			if err != nil {
				yield(nil, wrap(err, "read an export"))
				return
			}
			for _, chunk := range page {
				if !yield(chunk, nil) {
					return
				}
			}
			if len(page) < ChunkPage {
				return
			}
		}
	}
}

// exportsForgotten is how many exports are deleted at a time, each with its chunks.
const exportsForgotten = 10

// ForgetExports deletes exports that have expired by then, a few at a time.
func (s *Store) ForgetExports(ctx context.Context, at time.Time) error {
	for {
		rows, err := s.pool.Query(ctx, `SELECT subject_id, export_id FROM export WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`, at, exportsForgotten)
		if err != nil {
			return wrap(err, "look for exports that have expired")
		}
		expired, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Export, err error) {
			err = row.Scan((*[16]byte)(&e.Subject), (*[16]byte)(&e.ID))
			return e, err
		})
		if err != nil {
			return wrap(err, "look for exports that have expired")
		}
		for _, e := range expired {
			if _, err := s.pool.Exec(ctx, `DELETE FROM export WHERE subject_id = $1 AND export_id = $2`, [16]byte(e.Subject), [16]byte(e.ID)); err != nil {
				return wrap(err, "delete an export")
			}
		}
		if len(expired) < exportsForgotten {
			return nil
		}
	}
}
