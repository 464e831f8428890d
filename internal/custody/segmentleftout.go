package custody

import (
	"sync"

	"github.com/consentry/consentry/internal/privacy"
)

// leftOut are the people whom an index counts nowhere because something of theirs is damaged.
type leftOut struct {
	mu      sync.Mutex
	people  map[privacy.SubjectID]bool
	counted int // the living who could be read, since the build began
}

// begin forgets everybody, before a build.
func (l *leftOut) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people, l.counted = make(map[privacy.SubjectID]bool), 0
}

// note takes in what was found of people.
func (l *leftOut) note(t *peopleRead) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counted += t.counted
	if len(l.people) > 0 {
		for _, id := range t.seen {
			delete(l.people, id)
		}
	}
	for _, id := range t.damaged {
		l.people[id] = true
	}
}

func (l *leftOut) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.people)
}

// Those of a key page that is lost, 4,096 people who came one after the other, stand in nobody's way. But an index that lacks most people is
// none: their keys are not lost, this node looks for them in the wrong place. That is judged of everybody, and on the way only where a run of
// so many cannot be read that no loss explains it: a build would take hours to find that nobody can.
const (
	leftOutFew = 100 // fewer prove nothing
	leftOutRun = 100_000
)

var errSegmentsUnreadable = privacy.Unavailable(nil, "segments_unreadable", "most people's facets do not open with the keys that this node has: check where its keyring is mounted")

// judge gives an error when those left out are too many for an index; whole says that everybody has been read.
func (l *leftOut) judge(whole bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := len(l.people)
	if whole && lost >= leftOutFew && lost > l.counted || lost >= leftOutRun && l.counted == 0 {
		return errSegmentsUnreadable
	}
	return nil
}
