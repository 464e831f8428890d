package logbook

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// Everybody who asks has the work done for them after they asked, and far from each of them does it.
func TestSharedTurnServesThoseWhoAskedBefore(t *testing.T) {
	const callers = 100
	shared := newSharedTurn()
	var asked, works atomic.Int64
	var seen atomic.Int64 // how many had asked when the latest work began
	holding, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := shared.do(t.Context(), func(context.Context) error { close(holding); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-holding
	for range callers {
		all.Go(func() {
			mine := asked.Add(1)
			if mine == callers {
				close(release)
			}
			err := shared.do(t.Context(), func(context.Context) error {
				works.Add(1)
				seen.Store(asked.Load())
				return nil
			})
			if err != nil || seen.Load() < mine {
				t.Errorf("asked as number %d, and the work knew of %d: %v", mine, seen.Load(), err)
			}
		})
	}
	all.Wait()
	if works.Load() == 0 || works.Load() == callers {
		t.Errorf("%d callers did the work %d times", callers, works.Load())
	}
}

func TestSharedTurnFailsAloneAndEndsWithItsCaller(t *testing.T) {
	shared := newSharedTurn()
	if err := shared.do(t.Context(), func(context.Context) error { return errCheckpointPending }); err != errCheckpointPending { //nolint:errorlint // the very one
		t.Error(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	err := shared.do(t.Context(), func(context.Context) error {
		if err := shared.do(ended, func(context.Context) error { return nil }); err == nil {
			t.Error("somebody else's turn was taken")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
