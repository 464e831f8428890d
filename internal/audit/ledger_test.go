package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

var errDown = errors.New("the database is down")

// ledger commits into memory. When gate is set, every commit waits for a value from it: its result.
type ledger struct {
	gate chan error

	mu       sync.Mutex
	batches  []Batch
	entries  map[EntryName]Entry
	inFlight int
	most     int
}

func (l *ledger) commit(ctx context.Context, batch Batch) error {
	l.enter(+1)
	defer l.enter(-1)
	if l.gate != nil {
		select {
		case err := <-l.gate:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.keep(batch)
}

func (l *ledger) enter(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight += by
	l.most = max(l.most, l.inFlight)
}

func (l *ledger) keep(batch Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, batch)
	if l.entries == nil {
		l.entries = map[EntryName]Entry{}
	}
	for _, e := range batch.Entries {
		if _, taken := l.entries[e.Name]; taken {
			return fmt.Errorf("%s is committed twice", e.Name)
		}
		l.entries[e.Name] = e
	}
	return nil
}
