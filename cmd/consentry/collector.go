package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The heap may grow to five times what lives before it is swept. What lives is little, tens of megabytes, and much is made for
// a moment: sweeping less often is a tenth of a disclosure's cost. But a node with ten million people in its index of segments keeps a gigabyte,
// and would take four more for garbage; so there is a bound on that.
const (
	garbageShare = 400       // percent of what lives
	garbageBound = 256 << 20 // bytes
	garbageLeast = 25        // percent: a large heap is not swept all the time either

	collectorLooks = time.Second
)

// collectAt gives the GOGC for a heap of which so many bytes live.
func collectAt(live uint64) int {
	return int(max(garbageLeast, min(garbageShare, 100*garbageBound/max(live, 1)))) //nolint:gosec // a percentage
}

// tuneCollector bounds garbage until the function it gives is called, unless the environment says what GOGC is to be.
func tuneCollector(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	debug.SetGCPercent(garbageShare)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		followHeap(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func followHeap(ctx context.Context) {
	ticker := time.NewTicker(collectorLooks)
	defer ticker.Stop()
	live, set := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, garbageShare
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(live)
		if at := collectAt(live[0].Value.Uint64()); at != set {
			debug.SetGCPercent(at)
			set = at
		}
	}
}
