package audit

import (
	"context"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Commit writes a batch durably, in one transaction. An error means that it may or may not be
// written. Several calls run at once.
type Commit func(ctx context.Context, batch Batch) error

// Limits bounds a [Batcher]. Zero fields take the default.
type Limits struct {
	InFlight int           // commits at a time; default 2: one syncs while the next collects
	Entries  int           // in one batch, and in one submission; default 2,000
	Timeout  time.Duration // of one commit; default 10 seconds
}

func (l Limits) orDefaults() Limits {
	if l.InFlight <= 0 {
		l.InFlight = 2
	}
	if l.Entries <= 0 {
		l.Entries = 2_000
	}
	if l.Timeout <= 0 {
		l.Timeout = 10 * time.Second
	}
	return l
}

// Batcher lets concurrent disclosures share the transactions that record them (group commit), so
// that the cost of a durable write is divided by the number of those waiting for it.
//
// It is a few workers and an unbuffered channel. A free worker takes whatever is waiting, up to
// the limit, and commits it; meanwhile the next ones queue up as blocked senders. So nobody
// waits while a worker is idle, batches grow with the load by themselves, and the queue is
// never longer than the number of callers.
//
// A Batcher remembers which decisions it has committed and does not send them again. After the database
// was restored from a backup it must be replaced, like every process that has been connected to it.
type Batcher struct {
	commit Commit
	now    func() time.Time
	random io.Reader
	limits Limits
	stored recentHashes

	submissions chan *submission
	workers     sync.WaitGroup

	mu         sync.RWMutex // guards closed and the growing of submitters
	closed     bool
	submitters sync.WaitGroup
}

// NewBatcher starts a batcher; Close ends it. random must be safe for concurrent use, as
// crypto/rand.Reader is.
func NewBatcher(commit Commit, now func() time.Time, random io.Reader, limits Limits) *Batcher {
	b := &Batcher{
		commit: commit, now: now, random: random, limits: limits.orDefaults(),
		stored:      recentHashes{capacity: 16_384},
		submissions: make(chan *submission),
	}
	for range b.limits.InFlight {
		b.workers.Go(b.work)
	}
	return b
}

// Submit records the drafts and returns their names once they are durably committed, all in one
// batch. After an error nothing may be released, though the entries may have been written: when the
// commit's outcome is unknown, or when ctx ends while it is under way. The decisions are those the
// drafts refer to; pass them every time.
func (b *Batcher) Submit(ctx context.Context, drafts []Draft, decisions []Decision) ([]EntryName, error) {
	if len(drafts) > b.limits.Entries {
		return nil, privacy.NewError(privacy.KindTooLarge, "audit_batch_too_large", "ask for fewer subjects at a time")
	}
	s, err := newSubmission(b.now(), drafts, decisions)
	if err != nil {
		return nil, err
	}
	if !b.enter() {
		return nil, privacy.NewError(privacy.KindUnavailable, "audit_closed", "the service is stopping; try again")
	}
	defer b.submitters.Done()
	if ctx.Err() != nil {
		return nil, interrupted(ctx)
	}
	select {
	case b.submissions <- s:
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
	select {
	case r := <-s.result:
		return r.names, r.err
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
}

func interrupted(ctx context.Context) error {
	return privacy.Unavailable(context.Cause(ctx), "audit_interrupted", "the call ended before its audit entry was known to be written; nothing was released")
}

// Close refuses new submissions, commits those under way, and waits for the workers.
func (b *Batcher) Close() {
	b.mu.Lock()
	already := b.closed
	b.closed = true
	b.mu.Unlock()
	b.submitters.Wait()
	if !already {
		close(b.submissions)
	}
	b.workers.Wait()
}

func (b *Batcher) enter() bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return false
	}
	b.submitters.Add(1)
	return true
}

func (b *Batcher) work() {
	var next *submission
	for {
		if next == nil {
			var open bool
			if next, open = <-b.submissions; !open {
				return
			}
		}
		var group []*submission
		group, next = b.gather(next)
		b.record(group)
	}
}

// gatherYields is how often a worker lets other goroutines run before it commits what it has: those about
// to submit get into the batch, and when there are none it costs next to nothing.
const gatherYields = 2

// gather adds what is waiting to the first submission. One that no longer fits is handed back, to be
// the first of the next batch.
func (b *Batcher) gather(first *submission) (group []*submission, next *submission) {
	group = []*submission{first}
	yields := 0
	for n := len(first.drafts); n < b.limits.Entries; {
		select {
		case s, open := <-b.submissions:
			if !open {
				return group, nil
			}
			if n += len(s.drafts); n > b.limits.Entries {
				return group, s
			}
			group = append(group, s)
		default:
			if yields == gatherYields {
				return group, nil
			}
			yields++
			runtime.Gosched()
		}
	}
	return group, nil
}

// record commits the group as one batch and tells each submitter. The commit has a context of its
// own: it serves many callers, and must not fail them all because one has left.
func (b *Batcher) record(group []*submission) {
	batch, err := assemble(b.now(), b.random, group, b.stored.has)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), b.limits.Timeout)
		err = b.commit(ctx, batch)
		cancel()
	}
	if err != nil {
		err = privacy.Unavailable(err, "audit_unavailable", "the audit log could not be written, so nothing was released; try again")
		for _, s := range group {
			s.result <- result{err: err}
		}
		return
	}
	b.stored.add(batch.Decisions)
	position := 0
	for _, s := range group {
		names := make([]EntryName, len(s.drafts))
		for i := range names {
			names[i] = batch.Entries[position].Name
			position++
		}
		s.result <- result{names: names}
	}
}

// recentHashes is a set of hashes that forgets: when the young half is full, the old half is
// dropped and the young one grows old.
type recentHashes struct {
	capacity   int
	mu         sync.Mutex
	young, old map[Hash]struct{}
}

func (r *recentHashes) has(h Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.young[h]; ok {
		return true
	}
	_, ok := r.old[h]
	if ok {
		r.put(h) // in use, so worth keeping
	}
	return ok
}

func (r *recentHashes) add(decisions []StoredDecision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range decisions {
		r.put(d.Hash)
	}
}

func (r *recentHashes) put(h Hash) {
	if r.young == nil || len(r.young) >= r.capacity/2 {
		r.old, r.young = r.young, make(map[Hash]struct{})
	}
	r.young[h] = struct{}{}
}
