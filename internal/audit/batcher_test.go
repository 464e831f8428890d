package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

func newTestBatcher(t testing.TB, commit func(context.Context, Batch) error, limits Limits) *Batcher {
	b := NewBatcher(overtakenByNothing(commit), time.Now, rand.Reader, limits)
	t.Cleanup(b.Close)
	return b
}

func overtakenByNothing(commit func(context.Context, Batch) error) Commit {
	return func(ctx context.Context, batch Batch) (map[privacy.SubjectID]bool, error) {
		return nil, commit(ctx, batch)
	}
}

func draft(request string) Draft {
	return Draft{Action: ActionDisclosure, RequestID: privacy.RequestID(request)}
}

func drafts(n int) []Draft {
	list := make([]Draft, n)
	for i := range list {
		list[i] = draft(fmt.Sprint(i))
	}
	return list
}

// submitted is a Submit under way.
type submitted struct {
	done  atomic.Bool
	names []EntryName
	err   error
}

func submit(ctx context.Context, b *Batcher, list []Draft, decisions ...Decision) *submitted {
	s := &submitted{}
	go func() {
		s.names, s.err = b.Submit(ctx, list, decisions)
		s.done.Store(true)
	}()
	return s
}

func TestLaw1SubmitReturnsAfterCommitAndNeverBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{})
		s := submit(t.Context(), b, drafts(3))
		synctest.Wait()
		if s.done.Load() {
			t.Fatal("Submit returned while the commit was under way")
		}
		l.gate <- nil
		synctest.Wait()
		if !s.done.Load() || s.err != nil || len(s.names) != 3 {
			t.Fatalf("after the commit: %v, %v", s.names, s.err)
		}
		for i, name := range s.names {
			if got := l.entries[name].RequestID; got != privacy.RequestID(fmt.Sprint(i)) {
				t.Errorf("%s is committed as request %q, want %d", name, got, i)
			}
		}
	})
}

func TestLaw1FailedCommitFailsEverySubmitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{InFlight: 1})
		first := submit(t.Context(), b, drafts(1))
		synctest.Wait()
		second, third := submit(t.Context(), b, drafts(1)), submit(t.Context(), b, drafts(1))
		synctest.Wait()
		l.gate <- nil
		l.gate <- errDown
		synctest.Wait()
		if first.err != nil {
			t.Errorf("the first, whose batch was committed: %v", first.err)
		}
		for _, s := range []*submitted{second, third} {
			if !errors.Is(s.err, errDown) || privacy.KindOf(s.err) != privacy.KindUnavailable || s.names != nil {
				t.Errorf("in the failed batch: %v, %v", s.names, s.err)
			}
		}
		if len(l.batches) != 1 {
			t.Errorf("%d batches are committed, want 1", len(l.batches))
		}
	})
}

func TestLaw1CommitThatHangsFailsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{Timeout: time.Second})
		start := time.Now()
		_, err := b.Submit(t.Context(), drafts(1), nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

func TestBatcherCollectsWhileCommitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{Alone: 60})
		submit(t.Context(), b, drafts(1))
		synctest.Wait() // it is being committed
		for range 50 {
			submit(t.Context(), b, drafts(1))
		}
		synctest.Wait()
		if l.inFlight != 1 {
			t.Errorf("%d commits in flight; a few entries are to wait for the one under way", l.inFlight)
		}
		for range 2 {
			l.gate <- nil
			synctest.Wait()
		}
		if len(l.batches) != 2 || len(l.batches[1].Entries) != 50 {
			t.Errorf("%d batches; want the 50 that waited in one", len(l.batches))
		}
		submit(t.Context(), b, drafts(1))
		synctest.Wait()
		for range 2 {
			submit(t.Context(), b, drafts(30))
		}
		synctest.Wait()
		if l.inFlight != 2 {
			t.Errorf("%d commits in flight; many entries are to have one of their own", l.inFlight)
		}
		for range 2 {
			l.gate <- nil
		}
	})
}

func TestBatcherKeepsToItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{Entries: 10, InFlight: 3})
		var all []*submitted
		for i := range 40 {
			all = append(all, submit(t.Context(), b, drafts(1+i%7)))
		}
		if _, err := b.Submit(t.Context(), drafts(11), nil); privacy.KindOf(err) != privacy.KindTooLarge {
			t.Errorf("a submission over the limit: %v", err)
		}
		for synctest.Wait(); l.inFlight > 0; synctest.Wait() {
			l.gate <- nil
		}
		for _, s := range all {
			if !s.done.Load() || s.err != nil {
				t.Fatalf("not committed: %v", s.err)
			}
		}
		for _, batch := range l.batches {
			if n := len(batch.Entries); n < 1 || n > 10 {
				t.Errorf("a batch of %d entries", n)
			}
		}
		if l.most != 3 {
			t.Errorf("%d commits in flight at most, want 3", l.most)
		}
	})
}

func TestCancelledBeforeItsTurnIsNeverWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{InFlight: 1})
		submit(t.Context(), b, drafts(1))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		s := submit(ctx, b, []Draft{draft("cancelled")})
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(s.err, context.Canceled) {
			t.Errorf("got %v", s.err)
		}
		l.gate <- nil
		b.Close()
		if len(l.entries) != 1 {
			t.Errorf("%d entries are committed, want 1", len(l.entries))
		}
	})
}

// Recording too much does no harm; taking others down with the caller who leaves would.
func TestCancelledInFlightGetsAnErrorAndTheBatchGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{InFlight: 1})
		submit(t.Context(), b, drafts(1))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		leaving, staying := submit(ctx, b, drafts(2)), submit(t.Context(), b, drafts(3))
		synctest.Wait()
		l.gate <- nil
		synctest.Wait() // both are in the batch now
		cancel()
		synctest.Wait()
		if !leaving.done.Load() || !errors.Is(leaving.err, context.Canceled) || leaving.names != nil {
			t.Errorf("the one who left: %v, %v", leaving.names, leaving.err)
		}
		l.gate <- nil
		synctest.Wait()
		if staying.err != nil || len(l.entries) != 6 {
			t.Errorf("the one who stayed: %v; %d entries are committed, want 6", staying.err, len(l.entries))
		}
		if _, err := b.Submit(ctx, drafts(1), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who had left before: %v", err)
		}
	})
}

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{gate: make(chan error)}
		b := newTestBatcher(t, l.commit, Limits{InFlight: 1, Entries: 4})
		var all []*submitted
		for range 10 {
			all = append(all, submit(t.Context(), b, drafts(3)))
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() { b.Close(); close(closed) }()
		synctest.Wait()
		if _, err := b.Submit(t.Context(), drafts(1), nil); privacy.CodeOf(err) != "audit_closed" {
			t.Errorf("after Close: %v", err)
		}
		for range all {
			select {
			case <-closed:
				t.Fatal("Close returned before all was committed")
			default:
			}
			l.gate <- nil
			synctest.Wait()
		}
		<-closed
		for _, s := range all {
			if s.err != nil {
				t.Errorf("waiting at Close: %v", s.err)
			}
		}
		b.Close() // again: no harm
	})
}

func TestDecisionsAreSentUntilTheyAreStored(t *testing.T) {
	l := &ledger{gate: make(chan error, 1)}
	b := newTestBatcher(t, l.commit, Limits{InFlight: 1})
	one := Decision{Revision: "r", Input: []byte(`{"n":1}`), Outcome: []byte("{}")}
	two := Decision{Revision: "r", Input: []byte(`{"n":2}`), Outcome: []byte("{}")}
	decided := func(ds ...Decision) (list []Draft) {
		for _, d := range ds {
			list = append(list, Draft{Action: ActionDisclosure, Decision: d.Hash()})
		}
		return list
	}
	l.gate <- errDown
	if _, err := b.Submit(t.Context(), decided(one), []Decision{one}); err == nil {
		t.Fatal("no error")
	}
	for i, want := range []int{1, 0, 1, 0} {
		sent := [][]Decision{{one, one}, {one}, {two, one}, {one, two}}[i]
		l.gate <- nil
		if _, err := b.Submit(t.Context(), decided(sent...), sent); err != nil {
			t.Fatal(err)
		}
		if got := len(l.batches[i].Decisions); got != want {
			t.Errorf("submission %d sends %d decisions, want %d", i, got, want)
		}
	}
	if _, err := b.Submit(t.Context(), decided(one), nil); err == nil {
		t.Error("a decision that was not passed was accepted")
	}
}

func TestRecentHashesForget(t *testing.T) {
	r := recentHashes{capacity: 100}
	favourite := testLeaf(0)
	r.add([]StoredDecision{{Hash: favourite}})
	for i := 1; i < 1_000; i++ {
		r.add([]StoredDecision{{Hash: testLeaf(i)}})
		if !r.has(testLeaf(i)) || !r.has(favourite) {
			t.Fatalf("forgot too early, at %d", i)
		}
		if n := len(r.young) + len(r.old); n > 100 {
			t.Fatalf("remembers %d", n)
		}
	}
	if r.has(testLeaf(1)) {
		t.Error("forgets nothing")
	}
}

// Whatever fails, is cancelled or is closed: each success is in exactly one committed batch, as submitted.
func TestLaw1EverySuccessIsCommittedOnce(t *testing.T) {
	l := &ledger{}
	var commits atomic.Int64
	commit := func(ctx context.Context, batch Batch) error {
		switch commits.Add(1) % 5 {
		case 1: // fails, and nothing is written
			return errDown
		case 2: // is written, and fails all the same
			return errors.Join(l.commit(ctx, batch), errDown)
		default:
			return l.commit(ctx, batch)
		}
	}
	b := NewBatcher(overtakenByNothing(commit), time.Now, rand.Reader, Limits{Entries: 20})
	var succeeded, failed atomic.Int64
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			random := mathrand.New(mathrand.NewPCG(1, uint64(caller)))
			for round := range 100 {
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(4) == 0 {
					go cancel()
				}
				list := drafts(1 + random.IntN(8))
				for i := range list {
					list[i].RequestID = privacy.RequestID(fmt.Sprintf("%d-%d-%d", caller, round, i))
				}
				names, err := b.Submit(ctx, list, nil)
				cancel()
				if err != nil {
					failed.Add(1)
					continue
				}
				succeeded.Add(1)
				l.mu.Lock()
				for i, name := range names {
					if l.entries[name].RequestID != list[i].RequestID {
						t.Errorf("%s is not committed as submitted", name)
					}
				}
				if len(names) != len(list) {
					t.Errorf("%d names for %d drafts", len(names), len(list))
				}
				l.mu.Unlock()
			}
		})
	}
	callers.Wait()
	b.Close()
	if succeeded.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d succeeded and %d failed: this shows nothing", succeeded.Load(), failed.Load())
	}
	if l.most > 2 {
		t.Errorf("%d commits in flight", l.most)
	}
}

func BenchmarkBatcher(b *testing.B) {
	batcher := NewBatcher(overtakenByNothing(func(context.Context, Batch) error { return nil }), time.Now, rand.Reader, Limits{})
	defer batcher.Close()
	decision := Decision{Revision: "r", Input: make([]byte, 600), Outcome: make([]byte, 300)}
	list := []Draft{{Action: ActionDisclosure, Client: "crm-mailer", Purpose: "marketing.email", Decision: decision.Hash()}}
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := batcher.Submit(context.Background(), list, []Decision{decision}); err != nil {
				b.Error(err)
			}
		}
	})
}
