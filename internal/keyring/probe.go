package keyring

import (
	"context"
	"time"
)

// probeAge is for how long an answer about the backend's health is good.
const probeAge = time.Second

// probe asks whether the backend is ready, at most once in probeAge however many ask.
type probe struct {
	ask  func(context.Context) error
	now  func() time.Time
	turn chan struct{} // holds one token: whoever has it may look at the rest
	at   time.Time
	err  error
}

func newProbe(ask func(context.Context) error, now func() time.Time) *probe {
	p := &probe{ask: ask, now: now, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p
}

func (p *probe) check(ctx context.Context) error {
	select {
	case <-p.turn:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	defer func() { p.turn <- struct{}{} }()
	if age := p.now().Sub(p.at); !p.at.IsZero() && age >= 0 && age < probeAge {
		return p.err
	}
	err := p.ask(ctx)
	if ctx.Err() != nil {
		return err // the caller gave up; that says nothing about the backend
	}
	p.at, p.err = p.now(), err
	return err
}
