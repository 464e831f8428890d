package events

import (
	"context"
	"log/slog"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	relayEvery  = 250 * time.Millisecond // between looks at the outbox, for what other nodes left there
	relayGather = 50 * time.Millisecond  // after a change, for those that come with it
	relayStep   = 1000                   // changes of one step, which bounds its transactions
	sweepEvery  = time.Second            // between looks for what is due
)

// RunRelay carries committed changes from the outbox to the log until ctx ends, and sends jobs after what is due. Every
// node runs it; one at a time does the work. A node that has committed a change looks at once.
// Nothing is notified through PostgreSQL, whose NOTIFY makes all transactions that use it commit one after the other.
func (s *Service) RunRelay(ctx context.Context) {
	ticker := time.NewTicker(relayEvery)
	defer ticker.Stop()
	var swept time.Time
	for {
		err := s.relay(ctx)
		if err == nil && time.Since(swept) >= sweepEvery {
			err, swept = s.store.Sweep(ctx, s.vault.Instant(), s.pace.LateBy), time.Now()
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "relaying events failed; trying again", slog.String("code", privacy.CodeOf(err)))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.store.Changes():
			gather := time.NewTimer(relayGather)
			select {
			case <-ctx.Done():
				gather.Stop()
				return
			case <-gather.C:
			}
		}
	}
}

// relay empties the outbox and lets those who wait for the log know.
func (s *Service) relay(ctx context.Context) error {
	for {
		taken, err := s.store.Relay(ctx, relayStep, s.vault.Instant(), s.pace.LateBy)
		if err != nil {
			return err
		}
		if taken < relayStep {
			break
		}
	}
	head, err := s.store.LogHead(ctx)
	if err == nil {
		s.head.reached(head)
	}
	return err
}
