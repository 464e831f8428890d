package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Writes are statements that go to the database together, in one round trip and in the order in which
// they were added. None of them answers anything but that it was done.
type Writes struct {
	batch   pgx.Batch
	changed bool // something was put into the outbox
}

// queue adds a statement.
func (w *Writes) queue(sql string, args ...any) { w.batch.Queue(sql, args...) }

// AppendAudit adds a batch of audit entries, beside the change they describe.
func (w *Writes) AppendAudit(batch audit.Batch) {
	w.batch.QueuedQueries = append(w.batch.QueuedQueries, auditStatements(batch).QueuedQueries...)
}

// AppendChange adds an event to the outbox ([Tx.AppendChange]).
func (w *Writes) AppendChange(e privacy.Event) {
	sql, args := ChangeStatement(e)
	w.queue(sql, args...)
	w.changed = true
}

// Send carries writes out within the transaction.
func (t *Tx) Send(ctx context.Context, w *Writes) error {
	t.changed = t.changed || w.changed
	return wrap(t.tx.SendBatch(ctx, &w.batch).Close(), "write")
}
