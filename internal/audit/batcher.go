package audit

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Commit writes a batch durably, in one transaction. An error means that it may or may not be
// written. It gives the subjects about whom there was another order since the disclosures in it were decided: nothing may
// be released by these. Several calls run at once.
type Commit func(ctx context.Context, batch Batch) (overtaken map[privacy.SubjectID]bool, err error)

// Limits bounds a [Batcher]. Zero fields take the default.
type Limits struct {
	InFlight int           // commits at a time; default 2
	Entries  int           // in one batch, and in one submission; default 2,000
	Alone    int           // entries that are worth a commit beside one that is under way; default 100
	Timeout  time.Duration // of one commit; default 10 seconds
}

func (l Limits) orDefaults() Limits {
	if l.InFlight <= 0 {
		l.InFlight = 2
	}
	if l.Entries <= 0 {
		l.Entries = 2_000
	}
	if l.Alone <= 0 {
		l.Alone = 100
	}
	l.Alone = min(l.Alone, l.Entries)
	if l.Timeout <= 0 {
		l.Timeout = 10 * time.Second
	}
	return l
}

// Batcher lets concurrent disclosures share the transactions that record them (group commit), so
// that the cost of a durable write is divided by the number of those waiting for it.
//
// It is a queue and a few workers. A worker takes whatever is waiting, up to the limit, and commits it; meanwhile
// the next ones queue up, and wait for that commit to end: to bring a dozen entries to the disk costs more
// than to write them, and a second commit at a time would only halve the batches. Many entries are worth it.
// So nobody waits while nothing is committed, batches grow with the load by themselves, and
// the queue is never longer than the number of callers.
//
// A Batcher remembers which decisions it has committed and does not send them again. After the database
// was restored from a backup it must be replaced, like every process that has been connected to it.
type Batcher struct {
	commit Commit
	now    func() time.Time
	random io.Reader
	limits Limits
	stored recentHashes

	workers sync.WaitGroup

	mu       sync.Mutex // guards what follows
	changed  sync.Cond  // what follows has changed in a worker's favour
	waiting  []*Submission
	entries  int // of those waiting
	underWay int // commits
	closed   bool
}

// NewBatcher starts a batcher; Close ends it. random must be safe for concurrent use, as
// crypto/rand.Reader is.
func NewBatcher(commit Commit, now func() time.Time, random io.Reader, limits Limits) *Batcher {
	b := &Batcher{
		commit: commit, now: now, random: random, limits: limits.orDefaults(),
		stored: recentHashes{capacity: 16_384},
	}
	b.changed.L = &b.mu
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
	s, err := b.Begin(ctx, drafts, decisions)
	if err != nil {
		return nil, err
	}
	if err := s.Wait(ctx); err != nil {
		return nil, err
	}
	return s.names(), nil
}

// Begin is the first half of Submit: it queues the drafts. Whoever begins must wait.
func (b *Batcher) Begin(ctx context.Context, drafts []Draft, decisions []Decision) (*Submission, error) {
	if len(drafts) > b.limits.Entries {
		return nil, privacy.NewError(privacy.KindTooLarge, "audit_batch_too_large", "ask for fewer subjects at a time")
	}
	s, err := newSubmission(b.now(), drafts, decisions)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, interrupted(ctx)
	}
	s.batcher, s.committed = b, make(chan error, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, privacy.NewError(privacy.KindUnavailable, "audit_closed", "the service is stopping; try again")
	}
	b.waiting = append(b.waiting, s)
	b.entries += len(s.drafts)
	if b.mayCommit() {
		b.changed.Signal()
	}
	return s, nil
}

// Wait returns once what was begun is durably committed. It is to be called once, and says what Submit says.
func (s *Submission) Wait(ctx context.Context) error {
	select {
	case err := <-s.committed:
		return err
	case <-ctx.Done():
		s.batcher.withdraw(s)
		return interrupted(ctx)
	}
}

// withdraw takes a submission off the queue, if it is still there.
func (b *Batcher) withdraw(s *Submission) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, s); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.entries -= len(s.drafts)
	}
}

func interrupted(ctx context.Context) error {
	return privacy.Unavailable(context.Cause(ctx), "audit_interrupted", "the call ended before its audit entry was known to be written; nothing was released")
}

// Close refuses new submissions, commits those under way, and waits for the workers.
func (b *Batcher) Close() {
	b.mu.Lock()
	b.closed = true
	b.changed.Broadcast()
	b.mu.Unlock()
	b.workers.Wait()
}

func (b *Batcher) work() {
	for {
		group, open := b.next()
		if !open {
			return
		}
		if len(group) > 0 {
			b.record(group)
		}
		b.done()
	}
}

// mayCommit reports whether there is reason to begin a commit now.
func (b *Batcher) mayCommit() bool {
	return len(b.waiting) > 0 && (b.underWay == 0 || b.entries >= b.limits.Alone)
}

// gatherYields is how often a worker lets other goroutines run before it commits what there is: those about
// to submit get into the batch, and when there are none it costs next to nothing.
const gatherYields = 2

// next waits for something to commit and takes it; another worker may have been quicker. It is not open when
// all is committed and nothing will follow.
func (b *Batcher) next() (group []*Submission, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.mayCommit() {
		if b.closed && len(b.waiting) == 0 {
			return nil, false
		}
		b.changed.Wait()
	}
	b.underWay++
	for range gatherYields {
		b.mu.Unlock()
		runtime.Gosched()
		b.mu.Lock()
	}
	return b.take(), true
}

// take gives the head of the queue, as much of it as fits into one batch.
func (b *Batcher) take() []*Submission {
	n, entries := 0, 0
	for ; n < len(b.waiting); n++ {
		if entries+len(b.waiting[n].drafts) > b.limits.Entries {
			break
		}
		entries += len(b.waiting[n].drafts)
	}
	group := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.entries -= entries
	return group
}

// done ends what next began, and lets the next commit begin.
func (b *Batcher) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay--
	if b.closed {
		b.changed.Broadcast()
	} else if b.mayCommit() {
		b.changed.Signal()
	}
}

// record commits the group as one batch and tells each submitter. The commit has a context of its
// own: it serves many callers, and must not fail them all because one has left.
func (b *Batcher) record(group []*Submission) {
	var overtaken map[privacy.SubjectID]bool
	batch, err := assemble(b.now(), b.random, group, b.stored.has)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), b.limits.Timeout)
		overtaken, err = b.commit(ctx, batch)
		cancel()
	}
	if err != nil {
		err = privacy.Unavailable(err, "audit_unavailable", "the audit log could not be written, so nothing was released; try again")
	} else {
		b.stored.add(batch.Decisions)
	}
	for _, s := range group {
		s.overtaken = overtaken
		s.committed <- err
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
