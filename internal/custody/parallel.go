package custody

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// InParallel does a piece of work for every index, on all processors. The first error ends the rest.
func InParallel(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
}
