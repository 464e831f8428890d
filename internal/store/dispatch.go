package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/privacy"
)

// DeliverArgs is the job of telling a processor what it has not been told yet.
type DeliverArgs struct {
	Processor privacy.ProcessorID `json:"processor"`
}

// Kind implements river.JobArgs.
func (DeliverArgs) Kind() string { return "deliver" }

// dueDeliveries is the condition under which a delivery d can be made at $2: nothing before it about the same subject
// waits to be tried again later.
const dueDeliveries = `d.state = 'pending' AND d.next_at <= $2 AND NOT EXISTS (
	SELECT FROM delivery e WHERE e.processor_id = d.processor_id AND e.subject_id = d.subject_id AND e.index < d.index AND e.state = 'pending' AND e.next_at > $2)`

// wake enqueues a job for each processor that has something to be told and for which none is expected: none was
// enqueued, or what was has not been heard of for so long that it must have died.
//
// The rows are locked first, whether or not a job is expected, and only then looked at: a job that is about to
// rest ([Lane.Rest]) looks for work under the same lock, so it sees what this transaction has
// logged or this sees that it rests.
func (t *Tx) wake(ctx context.Context, at time.Time, lateBy time.Duration) error {
	rows, err := t.tx.Query(ctx, `SELECT d.processor_id FROM dispatch d JOIN processor p USING (processor_id)
		WHERE p.active AND p.retired_at IS NULL AND p.url <> '' ORDER BY d.processor_id FOR UPDATE OF d`)
	if err != nil {
		return wrap(err, "look for work")
	}
	locked, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil || len(locked) == 0 {
		return wrap(err, "look for work")
	}
	rows, err = t.tx.Query(ctx, `
		UPDATE dispatch w SET expected_at = $2
		WHERE w.processor_id = ANY($1) AND (w.expected_at IS NULL OR w.expected_at < $3) AND (
			w.cursor < (SELECT max(index) FROM change_log) OR EXISTS (SELECT FROM delivery d WHERE d.processor_id = w.processor_id AND `+dueDeliveries+`))
		RETURNING w.processor_id`, locked, at, at.Add(-lateBy))
	if err != nil {
		return wrap(err, "look for work")
	}
	woken, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	if err != nil || len(woken) == 0 {
		return wrap(err, "look for work")
	}
	jobs := make([]river.JobArgs, len(woken))
	for i, id := range woken {
		jobs[i] = DeliverArgs{Processor: id}
	}
	return t.Enqueue(ctx, jobs...)
}

// Sweep enqueues what nobody else will: deliveries whose time to be tried again has come, and those whose job was
// lost with the process that ran it.
func (s *Store) Sweep(ctx context.Context, at time.Time, lateBy time.Duration) error {
	return s.Write(ctx, func(tx *Tx) error {
		leader, err := tx.leadsRelay(ctx)
		if err != nil || !leader {
			return err
		}
		return tx.wake(ctx, at, lateBy)
	})
}

// WakeProcessor has a processor looked after, whether or not a job is expected.
func (t *Tx) WakeProcessor(ctx context.Context, id privacy.ProcessorID, at time.Time) error {
	if _, err := t.tx.Exec(ctx, `UPDATE dispatch SET expected_at = $2 WHERE processor_id = $1`, [16]byte(id), at); err != nil {
		return wrap(err, "wake a processor")
	}
	return t.Enqueue(ctx, DeliverArgs{Processor: id})
}

// Rewind sets a processor's place in the log back, so that everything after it is told again.
func (t *Tx) Rewind(ctx context.Context, id privacy.ProcessorID, cursor int64) error {
	tag, err := t.tx.Exec(ctx, `UPDATE dispatch SET cursor = least(cursor, $2) WHERE processor_id = $1`, [16]byte(id), cursor)
	if err == nil && tag.RowsAffected() == 0 {
		return errNoProcessor
	}
	return wrap(err, "rewind a processor")
}
