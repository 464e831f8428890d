package logbook

import (
	"context"
	"log/slog"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// sequenceEvery is how often the sequencer looks for entries: a checkpoint follows an entry
// within a second.
const sequenceEvery = 500 * time.Millisecond

// Run appends committed entries to the log until ctx ends. Every node runs it; one at
// a time does the work.
func (b *Book) Run(ctx context.Context) {
	ticker := time.NewTicker(sequenceEvery)
	defer ticker.Stop()
	for {
		if err := b.Sequence(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "sequencing the audit log failed; trying again", slog.String("code", privacy.CodeOf(err)))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sequenceBatches bounds the batches of one step, and with them the size of its transaction.
const sequenceBatches = 500

// Sequence appends what has been committed so far to the log and signs a checkpoint, or several when there is
// much. What is committed meanwhile waits for the next call: under load there is always something new, and
// a signature for every few entries would be most of what the key store does.
func (b *Book) Sequence(ctx context.Context) error { return b.sequence(ctx, b.store.Sequence) }

// SequenceNow is Sequence for whoever cannot wait for the next checkpoint: when it returns, there is one over everything that was
// committed before. Several who ask at once share what one of them signs, and wait for it without a database connection.
func (b *Book) SequenceNow(ctx context.Context) error {
	return b.turn.do(ctx, func(ctx context.Context) error { return b.sequence(ctx, b.store.SequenceNow) })
}

func (b *Book) sequence(ctx context.Context, step func(context.Context, int, time.Time, store.Notary) (bool, error)) error {
	for {
		more, err := step(ctx, sequenceBatches, b.instant(), &notary{book: b, ctx: ctx})
		if err != nil || !more {
			return err
		}
	}
}
