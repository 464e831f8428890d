package store

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Writes is what a transaction is to write, sent to the database together, in one round trip. Rows of a kind go in one
// statement, however many subjects they are about: the server spends more on a statement than on a row. None of them
// answers anything but that it was done.
type Writes struct {
	records  []recordRow
	states   []stateRow
	receipts []receiptRow
	changes  []privacy.Event
	others   pgx.Batch // in the order in which they were added
	audits   []audit.Batch
}

// queue adds a statement.
func (w *Writes) queue(sql string, args ...any) { w.others.Queue(sql, args...) }

// AppendAudit adds a batch of audit entries, beside the change they describe.
func (w *Writes) AppendAudit(batch audit.Batch) { w.audits = append(w.audits, batch) }

// AppendChange adds an event to the outbox ([Tx.AppendChange]).
func (w *Writes) AppendChange(e privacy.Event) { w.changes = append(w.changes, e) }

// Add takes over what another was to write.
func (w *Writes) Add(other *Writes) {
	w.records = append(w.records, other.records...)
	w.states = append(w.states, other.states...)
	w.receipts = append(w.receipts, other.receipts...)
	w.changes = append(w.changes, other.changes...)
	w.others.QueuedQueries = append(w.others.QueuedQueries, other.others.QueuedQueries...)
	w.audits = append(w.audits, other.audits...)
}

// empty reports whether there is nothing to write.
func (w *Writes) empty() bool {
	return len(w.records)+len(w.states)+len(w.receipts)+len(w.changes)+len(w.others.QueuedQueries)+len(w.audits) == 0
}

// Send carries writes out within the transaction.
func (t *Tx) Send(ctx context.Context, w *Writes) error {
	t.changed = t.changed || len(w.changes) > 0
	return wrap(t.tx.SendBatch(ctx, w.statements()).Close(), "write")
}

// statements puts what refers to a record behind it.
func (w *Writes) statements() *pgx.Batch {
	b := &pgx.Batch{}
	queueRecords(b, w.records)
	queueStates(b, w.states)
	queueReceipts(b, w.receipts)
	queueChanges(b, w.changes)
	b.QueuedQueries = append(b.QueuedQueries, w.others.QueuedQueries...)
	for _, batch := range w.audits {
		queueAudit(b, batch)
	}
	return b
}

// column is one column of some rows, as unnest wants it.
func column[R, V any](rows []R, value func(*R) V) []V {
	values := make([]V, len(rows))
	for i := range rows {
		values[i] = value(&rows[i])
	}
	return values
}

// subjectColumn is column for ids, of which the zero id stands for NULL.
func subjectColumn[R any](rows []R, value func(*R) [16]byte) subjectArray {
	return slices.Collect(func(yield func(privacy.SubjectID) bool) {
		for i := range rows {
			if !yield(value(&rows[i])) {
				return
			}
		}
	})
}
