package keyring

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbeAsksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		var answer error
		p := newProbe(func(context.Context) error { asked++; time.Sleep(time.Millisecond); return answer }, time.Now)
		var asking sync.WaitGroup
		for range 50 {
			asking.Go(func() {
				if err := p.check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		answer = ErrUnavailable
		time.Sleep(time.Second)
		if err := p.check(t.Context()); !errors.Is(err, ErrUnavailable) || asked != 2 {
			t.Errorf("after a second: %v, asked %d times", err, asked)
		}
	})
}

func TestProbeDoesNotRememberACallerWhoGaveUp(t *testing.T) {
	p := newProbe(func(ctx context.Context) error { return ctx.Err() }, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 { // whether it is asked or not is a toss-up when the context is done
		if err := p.check(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
	if err := p.check(t.Context()); err != nil {
		t.Errorf("the next caller got %v", err)
	}
}
