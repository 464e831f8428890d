package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/consentry/consentry/internal/privacy"
)

// limiter gives every client a bucket of its own. Clients are named by verified tokens, so that
// their number is bounded by whom the issuer lets in; those idle for long are dropped.
type limiter struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex
	buckets map[privacy.ClientID]*bucket
	swept   time.Time
}

type bucket struct {
	tokens *rate.Limiter
	used   time.Time
}

// bucketIdle is how long an unused bucket is kept: long enough to have filled up again.
const bucketIdle = 10 * time.Minute

func newLimiter(perSecond float64, burst int) *limiter {
	return &limiter{perSecond: rate.Limit(perSecond), burst: burst, buckets: make(map[privacy.ClientID]*bucket)}
}

func (l *limiter) allow(client privacy.ClientID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) > bucketIdle {
		for name, b := range l.buckets {
			if now.Sub(b.used) > bucketIdle {
				delete(l.buckets, name)
			}
		}
		l.swept = now
	}
	b, ok := l.buckets[client]
	if !ok {
		b = &bucket{tokens: rate.NewLimiter(l.perSecond, l.burst)}
		l.buckets[client] = b
	}
	b.used = now
	return b.tokens.AllowN(now, 1)
}
