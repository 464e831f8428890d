package events

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type deliverWorker struct {
	river.WorkerDefaults[store.DeliverArgs]
	service *Service
}

// Work implements river.Worker.
func (w *deliverWorker) Work(ctx context.Context, job *river.Job[store.DeliverArgs]) error {
	return w.service.deliver(ctx, job.Args.Processor, job.Attempt)
}

// NextRetry implements river.Worker. River compares it with the system's clock.
func (w *deliverWorker) NextRetry(job *river.Job[store.DeliverArgs]) time.Time {
	return time.Now().Add(w.service.pace.receiver(job.Attempt))
}

const (
	turn       = 10 * time.Second // after which a job makes room for those of other processors
	logStep    = 1000             // events of the log gone past at a time
	dueStep    = 256              // deliveries of one round
	sideBySide = 8                // calls to one processor at a time
	awayAfter  = 2                // failures in a round without a success after which the receiver counts as away
)

// errReceiverAway has River try the job again. It is no fault of the vault's.
var errReceiverAway = privacy.Unavailable(nil, "receiver_away", "the processor does not answer; trying again later")

// deliver tells a processor what it has not been told yet. Attempt is how often the job has been tried.
func (s *Service) deliver(ctx context.Context, id privacy.ProcessorID, attempt int) error {
	lane, claimed, err := s.store.Claim(ctx, id)
	if err != nil || !claimed {
		return err
	}
	defer lane.Release(ctx)
	more, err := s.work(ctx, lane, s.vault.Instant().Add(turn))
	switch {
	case err != nil && ctx.Err() == nil:
		if err := lane.Expect(ctx, s.vault.Instant().Add(s.pace.receiver(attempt))); err != nil {
			return err
		}
		return err
	case err != nil: // stopping: whoever is there next goes on
		return err
	case more:
		if err := lane.Expect(ctx, s.vault.Instant()); err != nil {
			return err
		}
		return river.JobSnooze(0)
	}
	return nil
}

// work tells what there is to be told until then. It reports whether there is more.
func (s *Service) work(ctx context.Context, lane *store.Lane, until time.Time) (more bool, err error) {
	for s.vault.Instant().Before(until) {
		processor, err := lane.Processor(ctx)
		if err != nil {
			return false, err
		}
		if !processor.Called() {
			return false, lane.Expect(ctx, time.Time{})
		}
		at := s.vault.Instant()
		if _, err := lane.Advance(ctx, &processor, logStep, at); err != nil {
			return false, err
		}
		due, err := lane.Due(ctx, at, dueStep)
		if err != nil {
			return false, err
		}
		if len(due) == 0 {
			if rests, err := lane.Rest(ctx, at); err != nil || rests {
				return false, err
			}
			continue
		}
		if err := s.tellRound(ctx, lane, &processor, due); err != nil {
			return false, err
		}
	}
	return true, nil
}
