package keyring

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// loader counts loads and gives trees that tell which load made them.
type loader struct{ count atomic.Int32 }

func (l *loader) load(context.Context) (tree, error) { return newTree(key{byte(l.count.Add(1))}), nil }

func mustGet(t *testing.T, c *pageCache, page PageNo, l *loader) byte {
	t.Helper()
	got, err := c.get(t.Context(), page, l.load)
	if err != nil {
		t.Fatal(err)
	}
	return got.tree[0].key[0]
}

func TestCacheForgetsWhenTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newPageCache(15*time.Minute, 10), &loader{}
		defer c.close()
		mustGet(t, c, 1, l)
		time.Sleep(10 * time.Minute)
		if mustGet(t, c, 1, l) != 1 {
			t.Error("loaded again before its time")
		}
		time.Sleep(5*time.Minute - time.Nanosecond)
		synctest.Wait()
		if c.len() != 1 {
			t.Error("forgotten before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		// Nobody asked, and still the keys are gone: use does not prolong, idling does not keep.
		if c.len() != 0 {
			t.Error("kept longer than its time")
		}
		if mustGet(t, c, 1, l) != 2 {
			t.Error("not loaded again")
		}
	})
}

func TestCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	c, l := newPageCache(time.Hour, 3), &loader{}
	defer c.close()
	for _, page := range []PageNo{1, 2, 3, 1, 4, 5} {
		mustGet(t, c, page, l)
	}
	if c.len() != 3 || l.count.Load() != 5 {
		t.Fatalf("%d pages after %d loads", c.len(), l.count.Load())
	}
	if mustGet(t, c, 1, l) != 1 {
		t.Error("the page in use was pushed out")
	}
}

func TestCacheSharesOneLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newPageCache(time.Hour, 3), &loader{}
		defer c.close()
		release := make(chan struct{})
		var readers sync.WaitGroup
		for range 20 {
			readers.Go(func() {
				_, err := c.get(t.Context(), 1, func(ctx context.Context) (tree, error) {
					<-release
					return l.load(ctx)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		close(release)
		readers.Wait()
		if l.count.Load() != 1 {
			t.Errorf("%d loads", l.count.Load())
		}
	})
}

func TestCacheDoesNotKeepFailures(t *testing.T) {
	c, l := newPageCache(time.Hour, 3), &loader{}
	defer c.close()
	fail := func(context.Context) (tree, error) { return nil, ErrUnavailable }
	if _, err := c.get(t.Context(), 1, fail); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	if mustGet(t, c, 1, l) != 1 {
		t.Error("not loaded after the failure")
	}
}

func TestCacheDoesNotKeepAPageDroppedWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newPageCache(time.Hour, 3), &loader{}
		defer c.close()
		release := make(chan struct{})
		var early sync.WaitGroup
		early.Go(func() {
			_, _ = c.get(t.Context(), 1, func(ctx context.Context) (tree, error) {
				<-release
				return l.load(ctx)
			})
		})
		synctest.Wait()
		c.drop(1) // as a puncture does, after the early load may have read the old page
		if mustGet(t, c, 1, l) != 1 {
			t.Error("the late reader did not load for itself")
		}
		close(release)
		early.Wait()
		if mustGet(t, c, 1, l) != 1 || l.count.Load() != 2 {
			t.Error("the page read before the drop was kept")
		}
		if c.len() != 1 {
			t.Errorf("%d pages kept", c.len())
		}
	})
}

func TestCacheReaderGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPageCache(time.Hour, 3)
		ctx, cancel := context.WithCancel(t.Context())
		stuck := func(ctx context.Context) (tree, error) { <-ctx.Done(); return nil, unavailable(ctx.Err()) }
		time.AfterFunc(time.Second, cancel)
		if _, err := c.get(ctx, 1, stuck); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		c.close() // ends the load, or this test would never end
		if _, err := c.get(t.Context(), 1, stuck); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a closed cache gave %v", err)
		}
	})
}
