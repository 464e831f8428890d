package custody

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/webhook"
)

// EventsConfig says how events reach those who are to be told. The zero value of each setting means its default.
type EventsConfig struct {
	Sender *webhook.Sender // nil: nobody is told
	// RetryFirst is how long a receiver that is away is left alone at first; each time it is still away, twice as long as
	// before, up to RetryMost. 1 s and 1 min.
	RetryFirst, RetryMost time.Duration
	// EventFirst and EventMost are the same for one event that fails while others get through. 5 s and 5 min.
	EventFirst, EventMost time.Duration
	Refusals              int           // after so many an event is given up; 10
	GiveUpAfter           time.Duration // or when it has been failing for so long; 3 days
	// LateBy is how long a job may be silent before another one is sent after it, as its process has probably died; 15 s.
	LateBy time.Duration
	// Observe is told of every attempt: what came of it, and how long ago the change was.
	Observe func(problem webhook.Problem, since time.Duration)
}

func (c EventsConfig) withDefaults() EventsConfig {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	or(&c.RetryFirst, time.Second)
	or(&c.RetryMost, time.Minute)
	or(&c.EventFirst, 5*time.Second)
	or(&c.EventMost, 5*time.Minute)
	or(&c.GiveUpAfter, 72*time.Hour)
	or(&c.LateBy, 15*time.Second)
	if c.Refusals <= 0 {
		c.Refusals = 10
	}
	if c.Observe == nil {
		c.Observe = func(webhook.Problem, time.Duration) {}
	}
	return c
}

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
		if err == nil && s.events.Sender != nil && time.Since(swept) >= sweepEvery { // who cannot tell anybody need not look for what is due
			err, swept = s.store.Sweep(ctx, s.instant(), s.events.LateBy), time.Now()
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
		taken, err := s.store.Relay(ctx, relayStep, s.instant(), s.events.LateBy)
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

// logHead is how far this process knows the log to reach, for those who wait for it to grow.
type logHead struct {
	mu    sync.Mutex
	index int64
	grown chan struct{} // closed when the index rises, and then replaced
}

func newLogHead() *logHead { return &logHead{grown: make(chan struct{})} }

func (h *logHead) reached(index int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if index > h.index {
		h.index = index
		close(h.grown)
		h.grown = make(chan struct{})
	}
}

// next is closed when the log has grown after this call.
func (h *logHead) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.grown
}
