package rights

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// The process that takes an erasure up also carries it out, at once: it is the one that has the key page in memory, and to wait for a job
// would take longer than to do it. The job is there for whom the process leaves behind when it dies, and finds nothing to do otherwise.

const (
	carryAtMost   = 1000        // requests that are carried out together
	carryWaiting  = 64          // groups of requests that wait; those that find no room are left to their jobs
	carryWorkers  = 2           // one group is deleted while another is punctured
	carryFollowUp = time.Minute // after which the job looks whether the process has done it
	carryWithin   = 10 * time.Minute
)

// carry has requests carried out once the transaction is committed.
func (s *Service) carry(ctx context.Context, tx *store.Tx, refs ...Ref) error {
	followUp := time.Now().Add(carryFollowUp) // River compares it with the system's clock
	if err := tx.EnqueueAt(ctx, followUp, CarryArgs{Requests: refs}); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		select {
		case s.waiting <- refs:
		default:
		}
	})
	return nil
}

// RunCarrier carries requests out until ctx ends, and waits for those under way to stop where they are.
func (s *Service) RunCarrier(ctx context.Context) {
	var workers sync.WaitGroup
	for range carryWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case refs := <-s.waiting:
					s.carryGroup(ctx, s.gather(refs))
				}
			}
		})
	}
	workers.Wait()
}

// gather takes what else is waiting: erasures of one key page cost one change of it.
func (s *Service) gather(refs []Ref) []Ref {
	for len(refs) < carryAtMost {
		select {
		case more := <-s.waiting:
			refs = append(refs, more...)
		default:
			return refs
		}
	}
	return refs
}

// carryGroup carries requests out, and has a job try again at once what failed.
func (s *Service) carryGroup(ctx context.Context, refs []Ref) {
	ctx, cancel := context.WithTimeout(ctx, carryWithin)
	defer cancel()
	err := s.CarryOut(ctx, refs...)
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.WarnContext(ctx, "requests could not be carried out at once; a job tries again", slog.Int("requests", len(refs)), slog.String("code", privacy.CodeOf(err)))
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, CarryArgs{Requests: refs}) }); err != nil {
		s.log.WarnContext(ctx, "nor could the job be enqueued; the one that follows every request up does it", slog.String("code", privacy.CodeOf(err)))
	}
}
