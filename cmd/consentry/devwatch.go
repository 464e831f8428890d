package main

import (
	"context"
	"errors"
	"sync"

	"github.com/consentry/consentry/internal/privacy"
)

var errServerGone = privacy.Unavailable(nil, "server_gone", "the private PostgreSQL or Vault ended by itself; start consentry dev again")

// watched gives a context that ends, too, when a private server ends by itself: better to stop and say so
// than to answer 503 for ever. The function it gives ends the watch and reports how it went.
func (d *dev) watched(ctx context.Context) (context.Context, func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	for _, exited := range d.servers() {
		running.Go(func() {
			select {
			case <-exited:
				cancel(errServerGone)
			case <-ctx.Done():
			}
		})
	}
	return ctx, func() error {
		cancel(nil)
		running.Wait()
		if cause := context.Cause(ctx); errors.Is(cause, errServerGone) {
			return cause
		}
		return nil
	}
}

// servers are the private servers that were started, by the signal of their end.
func (d *dev) servers() []<-chan struct{} {
	var list []<-chan struct{}
	if d.postgres != nil {
		list = append(list, d.postgres.Exited())
	}
	if d.vault != nil {
		list = append(list, d.vault.Exited())
	}
	return list
}
