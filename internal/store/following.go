package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Following is everything that was committed since a place in the change log: what is in the log after it, and
// what is still on its way there.
type Following struct {
	Outbox   []Changed // not known to be in the log
	Log      []Changed // in order
	More     bool      // the log goes on
	Revision privacy.RevisionID
}

// Changed is a change as segments follow it: whom it is about.
type Changed struct {
	Index    int64 // in the log; 0 in the outbox
	ID       [16]byte
	Subject  privacy.SubjectID // zero when it is about several, or about nobody
	Subjects []privacy.SubjectID
}

// followStep bounds how much of the log is read at a time.
const followStep = 5000

// Follow reads what was committed since a place in the log, in one round trip. The outbox is read first: what leaves it meanwhile
// is in the log by then, and nothing is missed even where the two are not seen as of one moment.
func (s *Store) Follow(ctx context.Context, cursor int64) (f Following, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT 0::bigint, change_id, subject_id, detail -> 'subjects' FROM change`).Query(func(rows pgx.Rows) (err error) {
		f.Outbox, err = pgx.CollectRows(rows, scanChanged)
		return err
	})
	batch.Queue(`SELECT index, change_id, subject_id, detail -> 'subjects' FROM change_log WHERE index > $1 ORDER BY index LIMIT $2`, cursor, followStep).Query(func(rows pgx.Rows) (err error) {
		f.Log, err = pgx.CollectRows(rows, scanChanged)
		return err
	})
	batch.Queue(selectRevision).QueryRow(func(row pgx.Row) (err error) {
		f.Revision, err = scanRevision(row)
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Following{}, wrap(err, "follow changes")
	}
	f.More = len(f.Log) == followStep
	return f, nil
}

func scanChanged(row pgx.CollectableRow) (c Changed, err error) {
	err = row.Scan(&c.Index, &c.ID, (*[16]byte)(&c.Subject), &c.Subjects)
	return c, err
}

// FollowFrom gives the end of the change log, to follow it from there on, and the changes up to there that are in the outbox still.
func (s *Store) FollowFrom(ctx context.Context) (cursor int64, lingering map[[16]byte]bool, err error) {
	if cursor, err = s.LogHead(ctx); err != nil {
		return 0, nil, err
	}
	rows, err := s.pool.Query(ctx, `SELECT change_id FROM change`)
	if err != nil {
		return 0, nil, wrap(err, "read the outbox")
	}
	waiting, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil {
		return 0, nil, wrap(err, "read the outbox")
	}
	if rows, err = s.pool.Query(ctx, `SELECT change_id FROM change_log WHERE change_id = ANY($1) AND index <= $2`, waiting, cursor); err != nil {
		return 0, nil, wrap(err, "find the outbox in the log")
	}
	logged, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	lingering = make(map[[16]byte]bool, len(logged))
	for _, id := range logged {
		lingering[id] = true
	}
	return cursor, lingering, wrap(err, "find the outbox in the log")
}
