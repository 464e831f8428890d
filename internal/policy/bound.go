package policy

import (
	"context"
	"errors"
	"runtime/metrics"
	"time"
)

var errTooMuchMemory = errors.New("evaluation takes too much memory")

const (
	heapMetric   = "/memory/classes/heap/objects:bytes"
	heapInterval = 20 * time.Millisecond
)

// bound gives a context that ends when the time is up, or when the heap of this process has grown by so many bytes.
// The heap is everybody's, so the limit is a fuse, not a measure: what is tried while the process is busy with
// something large may be told to try again. Stop waits for the watcher.
func bound(ctx context.Context, limit time.Duration, memory uint64) (context.Context, func()) {
	ctx, cancelTime := context.WithTimeout(ctx, limit)
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	start := heapInUse()
	go func() {
		defer close(done)
		ticker := time.NewTicker(heapInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if now := heapInUse(); now > start && now-start > memory {
					cancel(errTooMuchMemory)
					return
				}
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		cancelTime()
		<-done
	}
}

// tooMuch reports whether an error is one of a bound that was reached.
func tooMuch(ctx context.Context, err error) bool {
	return errors.Is(context.Cause(ctx), errTooMuchMemory) || errors.Is(err, context.DeadlineExceeded)
}

func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
