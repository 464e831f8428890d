package events

import (
	"time"

	"github.com/consentry/consentry/internal/store"
)

// Pace says how soon and how often those who are called are tried. The zero value of each setting means its default.
type Pace struct {
	// RetryFirst is how long a receiver that is away is left alone at first; each time it is still away, twice as long as
	// before, up to RetryMost. 1 s and 1 min.
	RetryFirst, RetryMost time.Duration
	// EventFirst and EventMost are the same for one event that fails while others get through. 5 s and 5 min.
	EventFirst, EventMost time.Duration
	Refusals              int           // after so many an event is given up; 10
	GiveUpAfter           time.Duration // or when it has been failing for so long; 3 days
	// LateBy is how long a job may be silent before another one is sent after it, as its process has probably died; 15 s.
	LateBy time.Duration
}

func (p Pace) withDefaults() Pace {
	or := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	or(&p.RetryFirst, time.Second)
	or(&p.RetryMost, time.Minute)
	or(&p.EventFirst, 5*time.Second)
	or(&p.EventMost, 5*time.Minute)
	or(&p.GiveUpAfter, 72*time.Hour)
	or(&p.LateBy, 15*time.Second)
	if p.Refusals <= 0 {
		p.Refusals = 10
	}
	return p
}

// receiver is how long a receiver is left alone that has been away so many times in a row.
func (p *Pace) receiver(attempt int) time.Duration {
	return store.Backoff(p.RetryFirst, p.RetryMost, attempt)
}

// event is the same for one event.
func (p *Pace) event(attempt int) time.Duration {
	return store.Backoff(p.EventFirst, p.EventMost, attempt)
}
