package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// AppendChange puts an event into the outbox, in the transaction of the change it tells of: it goes out if
// and only if the change is committed. The subject must be locked, and for what is about the policy
// the publications: that is what keeps the events of one subject in order.
func (t *Tx) AppendChange(ctx context.Context, e privacy.Event) error {
	w := &Writes{}
	w.AppendChange(e)
	return t.Send(ctx, w)
}

// queueChanges puts events into the outbox in their order, of which their numbers follow.
func queueChanges(b *pgx.Batch, events []privacy.Event) {
	if len(events) == 0 {
		return
	}
	c := newChangeColumns(events)
	b.Queue(`
		INSERT INTO change (subject_id, change_id, kind, purpose, detail, at)
		SELECT c.subject_id, c.change_id, c.kind, c.purpose, c.detail, c.at
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
			WITH ORDINALITY AS c (subject_id, change_id, kind, purpose, detail, at, place)
		ORDER BY c.place`, c.subjects, c.ids, c.kinds, c.purposes, c.details, c.ats)
}

// Changes signals, at most once for any number of them, that this process has committed changes since
// it was last asked.
func (s *Store) Changes() <-chan struct{} { return s.changes }

func (s *Store) signalChange() {
	select {
	case s.changes <- struct{}{}:
	default: // there is a signal waiting already
	}
}

// Logged is an event and its place in the log.
type Logged struct {
	privacy.Event
	Index int64
}

// Relay copies changes from the outbox to the log, up to a limit, and then deletes them. It gives how
// many it took. One node at a time does it; another that tries meanwhile gets 0 at once.
// A crash between the two transactions leaves rows in the outbox that are in the log already;
// the next call only deletes them. In the transaction that logs them, jobs are enqueued that tell the processors;
// lateBy is after how long without a sign an earlier job counts as dead.
func (s *Store) Relay(ctx context.Context, limit int, at time.Time, lateBy time.Duration) (taken int, err error) {
	var changes []privacy.Event
	err = s.Write(ctx, func(tx *Tx) error {
		changes = nil
		leader, err := tx.leadsRelay(ctx)
		if err != nil || !leader {
			return err
		}
		if changes, err = tx.outbox(ctx, limit); err != nil || len(changes) == 0 {
			return err
		}
		if err := tx.logChanges(ctx, changes, at); err != nil {
			return err
		}
		return tx.wake(ctx, at, lateBy)
	})
	if err != nil || len(changes) == 0 {
		return 0, err
	}
	return len(changes), s.deleteChanges(ctx, changes)
}

// leadsRelay makes this transaction the only one that relays, unless another is.
func (t *Tx) leadsRelay(ctx context.Context) (leader bool, err error) {
	err = t.tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('consentry relay'))`).Scan(&leader)
	return leader, wrap(err, "become the relay")
}

func (t *Tx) outbox(ctx context.Context, limit int) ([]privacy.Event, error) {
	rows, err := t.tx.Query(ctx, `SELECT change_id, subject_id, kind, purpose, detail, at FROM change ORDER BY number LIMIT $1`, limit)
	if err != nil {
		return nil, wrap(err, "read the outbox")
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (privacy.Event, error) {
		var e privacy.Event
		return e, row.Scan(&e.ID, (*[16]byte)(&e.Subject), &e.Kind, &e.Purpose, &e.Detail, &e.At)
	})
	return changes, wrap(err, "read the outbox")
}

// logChanges numbers changes from the end of the log on, leaving out those that are in it.
func (t *Tx) logChanges(ctx context.Context, changes []privacy.Event, at time.Time) error {
	columns := newChangeColumns(changes)
	_, err := t.tx.Exec(ctx, `
		INSERT INTO change_log (index, change_id, subject_id, kind, purpose, detail, at, logged_at)
		SELECT coalesce((SELECT max(index) FROM change_log), 0) + row_number() OVER (ORDER BY c.place), c.change_id, c.subject_id, c.kind, c.purpose, c.detail, c.at, $7
		FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
			WITH ORDINALITY AS c (change_id, subject_id, kind, purpose, detail, at, place)
		WHERE NOT EXISTS (SELECT FROM change_log l WHERE l.change_id = c.change_id)`,
		columns.ids, columns.subjects, columns.kinds, columns.purposes, columns.details, columns.ats, at)
	return wrap(err, "log changes")
}

func (s *Store) deleteChanges(ctx context.Context, changes []privacy.Event) error {
	columns := newChangeColumns(changes)
	_, err := s.pool.Exec(ctx, `DELETE FROM change WHERE subject_id = ANY($1) AND change_id = ANY($2)`, columns.subjects, columns.ids)
	return wrap(err, "empty the outbox")
}

// changeColumns is a list of events turned on its side, as unnest wants it.
type changeColumns struct {
	ids, subjects   [][16]byte
	kinds, purposes []string
	details         [][]byte
	ats             []time.Time
}

func newChangeColumns(events []privacy.Event) changeColumns {
	var c changeColumns
	for i := range events {
		e := &events[i]
		detail, _ := json.Marshal(e.Detail) // names and ids: it always encodes
		c.ids, c.subjects = append(c.ids, e.ID), append(c.subjects, [16]byte(e.Subject))
		c.kinds, c.purposes = append(c.kinds, string(e.Kind)), append(c.purposes, string(e.Purpose))
		c.details, c.ats = append(c.details, detail), append(c.ats, e.At)
	}
	return c
}

// LogHead gives the index of the newest change in the log, 0 when it is empty.
func (s *Store) LogHead(ctx context.Context) (head int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(index), 0) FROM change_log`).Scan(&head)
	return head, wrap(err, "read the end of the change log")
}
