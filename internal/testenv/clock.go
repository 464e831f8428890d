package testenv

import (
	"sync"
	"time"
)

// Clock goes on by a millisecond whenever it is read, so that what follows is later, and by more when it is told to. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	when func() // what happens whenever it is read; nil: nothing
}

// NewClock gives a clock that begins on the first of March 2026, at noon in UTC.
func NewClock() *Clock { return &Clock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)} }

// Read gives the time.
func (c *Clock) Read() time.Time {
	c.mu.Lock()
	when := c.when
	c.mu.Unlock()
	if when != nil {
		when()
	}
	return c.Advance(time.Millisecond)
}

// WhenRead has something done whenever it is read.
func (c *Clock) WhenRead(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.when = do
}

// Advance has time pass, and gives what time it is then.
func (c *Clock) Advance(by time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
	return c.now
}
