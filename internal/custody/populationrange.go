package custody

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/store"
)

// populationReaders is how many read the population side by side: two a processor, because PostgreSQL and we take turns.
func populationReaders() int { return 2 * runtime.GOMAXPROCS(0) }

// eachRange goes through the population, a range at a time for each of some readers, who are told apart by their numbers. The first
// error ends the rest.
func (s *Service) eachRange(ctx context.Context, readers int, work func(ctx context.Context, reader int, in store.SubjectRange) error) error {
	group, ctx := errgroup.WithContext(ctx)
	ranges := make(chan store.SubjectRange)
	group.Go(func() error {
		defer close(ranges)
		for next, err := range s.store.SubjectRanges(ctx) {
			if err != nil {
				return err
			}
			select {
			case ranges <- next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for reader := range readers {
		group.Go(func() error {
			for next := range ranges {
				if err := work(ctx, reader, next); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
