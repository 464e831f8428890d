package logbook

import (
	"context"
	"sync/atomic"
)

// sharedTurn has one caller at a time do a piece of work that serves all who ask for it: who waited for somebody that began after they asked
// need not do it again. Waiting takes no more than memory.
type sharedTurn struct {
	held  chan struct{}
	began atomic.Uint64 // counts attempts
	done  uint64        // the latest attempt that succeeded; guarded by held
}

func newSharedTurn() *sharedTurn { return &sharedTurn{held: make(chan struct{}, 1)} }

// do returns once the work has been done, from begin to end, since it was called.
func (t *sharedTurn) do(ctx context.Context, work func(context.Context) error) error {
	asked := t.began.Load()
	select {
	case t.held <- struct{}{}:
		defer func() { <-t.held }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if t.done > asked {
		return nil
	}
	began := t.began.Add(1)
	if err := work(ctx); err != nil {
		return err
	}
	t.done = began
	return nil
}
