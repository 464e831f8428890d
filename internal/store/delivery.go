package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// readLog reads events after a cursor, in order.
func readLog(ctx context.Context, q querier, cursor int64, limit int) ([]Logged, error) {
	rows, err := q.Query(ctx, `SELECT index, change_id, subject_id, kind, purpose, detail, at FROM change_log WHERE index > $1 ORDER BY index LIMIT $2`, cursor, limit)
	if err != nil {
		return nil, wrap(err, "read the change log")
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Logged, error) {
		var e Logged
		return e, row.Scan(&e.Index, &e.ID, (*[16]byte)(&e.Subject), &e.Kind, &e.Purpose, &e.Detail, &e.At)
	})
	return events, wrap(err, "read the change log")
}

// Log reads events after a cursor, in order.
func (s *Store) Log(ctx context.Context, cursor int64, limit int) ([]Logged, error) {
	return readLog(ctx, s.pool, cursor, limit)
}

// Delivery is how far the telling of one event to one processor has come.
type Delivery struct {
	Index     int64
	Event     [16]byte
	Kind      privacy.EventKind
	Subject   privacy.SubjectID
	State     DeliveryState
	Attempts  int
	NextAt    time.Time
	Status    int
	Problem   string
	UpdatedAt time.Time
}

// Deliveries lists those of a processor in a state, after a place in the log and in its order; without a state, those that are not done with:
// what is still to be told, and what was given up.
func (s *Store) Deliveries(ctx context.Context, id privacy.ProcessorID, state DeliveryState, after int64, limit int) ([]Delivery, error) {
	of, args := `state = $4`, []any{[16]byte(id), after, limit, state}
	if state == "" {
		of, args = `state IN ('pending', 'dead')`, args[:3]
	}
	rows, err := s.pool.Query(ctx, `
		SELECT d.index, c.change_id, c.kind, d.subject_id, d.state, d.attempts, d.next_at, d.status, d.problem, d.updated_at
		FROM delivery d JOIN change_log c ON c.index = d.index
		WHERE d.processor_id = $1 AND d.index > $2 AND d.`+of+` ORDER BY d.index LIMIT $3`, args...)
	if err != nil {
		return nil, wrap(err, "list deliveries")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Delivery, error) {
		var d Delivery
		return d, row.Scan(&d.Index, &d.Event, &d.Kind, (*[16]byte)(&d.Subject), &d.State, &d.Attempts, &d.NextAt, &d.Status, &d.Problem, &d.UpdatedAt)
	})
	return list, wrap(err, "list deliveries")
}

// Retry takes up again, now, a delivery that was given up or waits. KindNotFound when there is none, KindConflict when
// it needs no retry.
func (t *Tx) Retry(ctx context.Context, id privacy.ProcessorID, event [16]byte, at time.Time) error {
	var state DeliveryState
	err := t.tx.QueryRow(ctx, `SELECT d.state FROM delivery d JOIN change_log c ON c.index = d.index WHERE d.processor_id = $1 AND c.change_id = $2 FOR UPDATE OF d`,
		[16]byte(id), event).Scan(&state)
	switch {
	case isNoRows(err):
		return privacy.NotFound("delivery_not_found", "there is no such delivery to this processor")
	case err != nil:
		return wrap(err, "retry a delivery")
	case state != DeliveryDead && state != DeliveryPending:
		return privacy.Conflict("delivery_done", "the delivery needs no retry; to have it sent again, replay from a cursor")
	}
	_, err = t.tx.Exec(ctx, `UPDATE delivery d SET state = 'pending', refusals = 0, failing_since = NULL, next_at = $3, updated_at = $3
		FROM change_log c WHERE c.index = d.index AND d.processor_id = $1 AND c.change_id = $2`, [16]byte(id), event, at)
	return wrap(err, "retry a delivery")
}

// ForgetDeliveries drops what became of deliveries that were done with before a time.
func (s *Store) ForgetDeliveries(ctx context.Context, before time.Time) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM delivery WHERE state IN ('delivered', 'dropped') AND updated_at < $1`, before)
	return wrap(err, "forget old deliveries")
}

// Backlog says how much is on its way.
type Backlog struct {
	Outbox  int64         // committed, not in the log yet
	Pending int64         // deliveries to be made
	Dead    int64         // given up
	Oldest  time.Duration // how long the oldest pending delivery has been in the log
}

// Backlog counts what is on its way.
func (s *Store) Backlog(ctx context.Context, now time.Time) (b Backlog, err error) {
	var oldest *time.Time
	err = s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM change), (SELECT count(*) FROM delivery WHERE state = 'pending'), (SELECT count(*) FROM delivery WHERE state = 'dead'),
		(SELECT logged_at FROM change_log WHERE index = (SELECT min(index) FROM delivery WHERE state = 'pending'))`).Scan(&b.Outbox, &b.Pending, &b.Dead, &oldest)
	if oldest != nil {
		b.Oldest = max(now.Sub(*oldest), 0)
	}
	return b, wrap(err, "count what is on its way")
}
