package keyring

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// pageCache keeps unwrapped pages for a while. Concurrent readers of a page share one
// load; failures are not kept; a page that was dropped while it was being loaded is given to
// those who already waited for it and not kept either.
type pageCache struct {
	ttl   time.Duration
	limit int

	mu      sync.Mutex
	closed  bool
	entries map[PageNo]*cachedPage
	recent  *list.List // of PageNo, the latest used in front; loaded pages only
	loads   sync.WaitGroup
	life    context.Context // ends with the cache, and every load with it
	end     context.CancelFunc
}

type cachedPage struct {
	done   chan struct{} // closed when page and err are set
	page   *page
	err    error
	place  *list.Element
	expiry *time.Timer
}

func newPageCache(ttl time.Duration, limit int) *pageCache {
	life, end := context.WithCancel(context.Background())
	return &pageCache{
		ttl: ttl, limit: limit, life: life, end: end,
		entries: make(map[PageNo]*cachedPage), recent: list.New(),
	}
}

// get gives the page, loading it if need be. The load outlives the caller's context,
// since others may be waiting for it, but not the cache.
func (c *pageCache) get(ctx context.Context, page PageNo, load func(context.Context) (tree, error)) (*page, error) {
	entry, err := c.entry(ctx, page, load)
	if err != nil {
		return nil, err
	}
	select {
	case <-entry.done:
		return entry.page, entry.err
	default:
	}
	select {
	case <-entry.done:
		return entry.page, entry.err
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (c *pageCache) entry(ctx context.Context, page PageNo, load func(context.Context) (tree, error)) (*cachedPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, unavailable(context.Canceled)
	}
	if entry, ok := c.entries[page]; ok {
		if entry.place != nil {
			c.recent.MoveToFront(entry.place)
		}
		return entry, nil
	}
	entry := &cachedPage{done: make(chan struct{})}
	c.entries[page] = entry
	c.loads.Go(func() {
		loading, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(c.life, cancel)()
		unwrapped, err := load(loading)
		entry.page, entry.err = newPage(unwrapped), err
		c.keep(page, entry)
		close(entry.done)
	})
	return entry, nil
}

// keep makes a loaded page stay until its time is over or room is needed.
func (c *pageCache) keep(page PageNo, entry *cachedPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[page] != entry {
		return
	}
	if entry.err != nil || c.closed {
		delete(c.entries, page)
		return
	}
	entry.place = c.recent.PushFront(page)
	entry.expiry = time.AfterFunc(c.ttl, func() { c.dropEntry(page, entry) })
	for c.recent.Len() > c.limit {
		c.remove(c.recent.Back().Value.(PageNo)) // recent holds nothing else
	}
}

// holds reports whether a page is loaded.
func (c *pageCache) holds(page PageNo) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[page]
	return ok && entry.place != nil
}

// drop forgets a page: whoever asks from now on has it loaded afresh.
func (c *pageCache) drop(page PageNo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(page)
}

func (c *pageCache) dropEntry(page PageNo, entry *cachedPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[page] == entry {
		c.remove(page)
	}
}

func (c *pageCache) remove(page PageNo) {
	entry, ok := c.entries[page]
	if !ok {
		return
	}
	delete(c.entries, page)
	if entry.place != nil {
		c.recent.Remove(entry.place)
		entry.expiry.Stop()
	}
}

func (c *pageCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for page := range c.entries {
		c.remove(page)
	}
}

func (c *pageCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.Len()
}

// close forgets everything and waits for loads to end.
func (c *pageCache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.loads.Wait()
	c.clear()
}
