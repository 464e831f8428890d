package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/consentry/consentry/internal/privacy"
)

// Lane is the exclusive right to tell one processor. It is a lock of a database session, and the connection of
// that session is also the one over which the work is read and recorded: whoever loses the connection, and with
// it the lock, can neither read what to tell next nor write down that it was told. A process that dies gives the
// lock up by dying. It is safe for concurrent use.
type Lane struct {
	id   privacy.ProcessorID
	mu   sync.Mutex
	conn *pgxpool.Conn
}

// Claim takes the right to tell a processor. It is false when somebody else has it.
func (s *Store) Claim(ctx context.Context, id privacy.ProcessorID) (*Lane, bool, error) {
	conn, err := s.work.Acquire(ctx)
	if err != nil {
		return nil, false, wrap(err, "claim a processor")
	}
	var claimed bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('consentry processor ' || $1, 0))`, id.String()).Scan(&claimed); err != nil || !claimed {
		conn.Release()
		return nil, false, wrap(err, "claim a processor")
	}
	return &Lane{id: id, conn: conn}, true, nil
}

// Release gives the right up.
func (l *Lane) Release(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var released bool
	err := end(ctx, func(ctx context.Context) error {
		return l.conn.QueryRow(ctx, `SELECT pg_advisory_unlock(hashtextextended('consentry processor ' || $1, 0))`, l.id.String()).Scan(&released)
	})
	if err != nil || !released {
		_ = end(ctx, l.conn.Conn().Close) // the session must not go back to the pool with the lock
	}
	l.conn.Release()
}

// write runs work in a transaction on the lane's connection.
func (l *Lane) write(ctx context.Context, work func(tx pgx.Tx) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx, err := l.conn.Begin(ctx)
	if err != nil {
		return wrap(err, "begin")
	}
	defer func() { _ = end(ctx, tx.Rollback) }() // nothing is left to roll back after a commit
	if err := work(tx); err != nil {
		return wrap(err, "write")
	}
	return wrap(end(ctx, tx.Commit), "commit")
}

// Processor reads the processor as it is now.
func (l *Lane) Processor(ctx context.Context) (Processor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return oneProcessor(l.conn.Query(ctx, `SELECT `+processorColumns+` FROM processor WHERE processor_id = $1`, [16]byte(l.id)))
}

// Advance goes on through the log, up to so many events, and notes those that the processor wants as to be told. One that
// was told before, and is met again because the cursor was set back, is told again. It gives how many it went past.
func (l *Lane) Advance(ctx context.Context, p *Processor, limit int, at time.Time) (passed int, err error) {
	err = l.write(ctx, func(tx pgx.Tx) error {
		var cursor int64
		if err := tx.QueryRow(ctx, `SELECT cursor FROM dispatch WHERE processor_id = $1 FOR UPDATE`, [16]byte(l.id)).Scan(&cursor); err != nil {
			return wrap(err, "read a processor's cursor")
		}
		events, err := readLog(ctx, tx, cursor, limit)
		if err != nil || len(events) == 0 {
			return err
		}
		passed = len(events)
		noted, err := notedFor(ctx, tx, events, l.id)
		if err != nil {
			return err
		}
		var indexes []int64
		var subjects, erased [][16]byte
		for i := range events {
			if noted[events[i].ID] || p.Wants(&events[i].Event) {
				indexes, subjects = append(indexes, events[i].Index), append(subjects, [16]byte(events[i].Subject))
			}
			if events[i].Kind == privacy.EventSubjectErased {
				erased = append(erased, [16]byte(events[i].Subject))
			}
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO delivery (processor_id, index, subject_id, state, attempts, refusals, next_at, status, problem, updated_at)
			SELECT $1, n.index, n.subject_id, 'pending', 0, 0, $4, 0, '', $4 FROM unnest($2::bigint[], $3::uuid[]) AS n (index, subject_id)
			ON CONFLICT (processor_id, index) DO UPDATE SET state = 'pending', attempts = 0, refusals = 0, next_at = excluded.next_at,
				failing_since = NULL, status = 0, problem = '', updated_at = excluded.updated_at
			WHERE delivery.state <> 'pending'`, [16]byte(l.id), indexes, subjects, at); err != nil {
			return wrap(err, "note deliveries")
		}
		if err := dropNews(ctx, tx, l.id, erased, at); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE dispatch SET cursor = $2 WHERE processor_id = $1`, [16]byte(l.id), events[len(events)-1].Index)
		return wrap(err, "move a processor's cursor")
	})
	return passed, err
}

// dropNews gives up what was still to be told about subjects who are erased: it would only keep back that they are.
func dropNews(ctx context.Context, tx pgx.Tx, processor privacy.ProcessorID, erased [][16]byte, at time.Time) error {
	if len(erased) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE delivery d SET state = 'dropped', updated_at = $3 FROM change_log c
		WHERE d.processor_id = $1 AND d.subject_id = ANY($2) AND d.state = 'pending' AND c.index = d.index AND c.kind NOT LIKE 'subject.%'`, [16]byte(processor), erased, at)
	return wrap(err, "drop what is no news any more")
}

// Due is an event that is to be told now.
type Due struct {
	Logged
	Attempts     int
	Refusals     int
	FailingSince time.Time // zero: it has not failed yet
}

// Due reads the oldest events that can be told now, in order of the log.
func (l *Lane) Due(ctx context.Context, at time.Time, limit int) ([]Due, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows, err := l.conn.Query(ctx, `
		SELECT c.index, c.change_id, c.subject_id, c.kind, c.purpose, c.detail, c.at, d.attempts, d.refusals, d.failing_since
		FROM (SELECT * FROM delivery d WHERE d.processor_id = $1 AND `+dueDeliveries+` ORDER BY d.index LIMIT $3) d
		JOIN change_log c ON c.index = d.index ORDER BY d.index`, [16]byte(l.id), at, limit)
	if err != nil {
		return nil, wrap(err, "read what is due")
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Due, error) {
		var d Due
		var since *time.Time
		err := row.Scan(&d.Index, &d.ID, (*[16]byte)(&d.Subject), &d.Kind, &d.Purpose, &d.Detail, &d.At, &d.Attempts, &d.Refusals, &since)
		d.FailingSince = timeOrZero(since)
		return d, err
	})
	return due, wrap(err, "read what is due")
}

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states. Dead is what was given up, and can be taken up again; dropped is what the processor no longer wanted
// when its turn came.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryDead      DeliveryState = "dead"
	DeliveryDropped   DeliveryState = "dropped"
)

// Attempt is what came of telling one event.
type Attempt struct {
	Index   int64
	State   DeliveryState
	Refused bool
	NextAt  time.Time // of one that is still pending
	Status  int
	Problem string
}

// Settle writes down what came of attempts. A crash of the server may lose the last of it, and then those events
// are told again, which they may be at any time; so it does not wait for the disk.
func (l *Lane) Settle(ctx context.Context, attempts []Attempt, at time.Time) error {
	if len(attempts) == 0 {
		return nil
	}
	n := len(attempts)
	indexes, states, refused, nexts := make([]int64, n), make([]string, n), make([]int32, n), make([]time.Time, n)
	statuses, problems := make([]int16, n), make([]string, n)
	for i, a := range attempts {
		indexes[i], states[i], nexts[i], statuses[i], problems[i] = a.Index, string(a.State), a.NextAt, int16(a.Status), a.Problem //nolint:gosec // a status has three digits
		if a.Refused {
			refused[i] = 1
		}
	}
	return l.write(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return wrap(err, "settle deliveries")
		}
		_, err := tx.Exec(ctx, `
			UPDATE delivery d SET state = a.state, attempts = d.attempts + 1, refusals = d.refusals + a.refused,
				next_at = CASE WHEN a.state = 'pending' THEN a.next_at ELSE d.next_at END,
				failing_since = CASE WHEN a.problem <> '' THEN coalesce(d.failing_since, $8) END,
				status = a.status, problem = a.problem, updated_at = $8
			FROM unnest($2::bigint[], $3::text[], $4::integer[], $5::timestamptz[], $6::smallint[], $7::text[]) AS a (index, state, refused, next_at, status, problem)
			WHERE d.processor_id = $1 AND d.index = a.index AND d.state = 'pending'`,
			[16]byte(l.id), indexes, states, refused, nexts, statuses, problems, at)
		return wrap(err, "settle deliveries")
	})
}

// Rest says that nobody need be expected at the processor, unless there is something to do after all: then it is
// false, and the caller goes on.
func (l *Lane) Rest(ctx context.Context, at time.Time) (rests bool, err error) {
	err = l.write(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM dispatch WHERE processor_id = $1 FOR UPDATE`, [16]byte(l.id)); err != nil {
			return wrap(err, "rest")
		}
		tag, err := tx.Exec(ctx, `
			UPDATE dispatch w SET expected_at = NULL
			WHERE w.processor_id = $1 AND w.cursor >= (SELECT coalesce(max(index), 0) FROM change_log)
				AND NOT EXISTS (SELECT FROM delivery d WHERE d.processor_id = $1 AND `+dueDeliveries+`)`, [16]byte(l.id), at)
		rests = err == nil && tag.RowsAffected() == 1
		return wrap(err, "rest")
	})
	return rests, err
}

// Expect says until when somebody can be expected to be at the processor again; zero: nobody.
func (l *Lane) Expect(ctx context.Context, at time.Time) error {
	return l.write(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE dispatch SET expected_at = $2 WHERE processor_id = $1`, [16]byte(l.id), nullTime(at))
		return wrap(err, "expect somebody")
	})
}
