package custody

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/store"
)

// ledgerGroups puts on the ledgers what concurrent callers have to record: their receipts signed in one call of the keyring, and
// their records written in one transaction, because to sign and to commit costs more than a record. Whoever signs takes
// whatever is waiting, and whoever writes takes whatever is signed: one group is signed while another is written, nobody waits for
// company, and the groups grow with the load by themselves. Two who write at a time would be in each other's way.
//
// Callers in a group do not share their fate. What cannot be written beside others, because somebody else holds the
// subject, the keyring is to be asked, or something in the group fails, is written alone, by its caller.
type ledgerGroups struct {
	service *Service
	waiting chan *waitingRecord
	signed  chan []*waitingRecord
	workers sync.WaitGroup

	mu      sync.RWMutex // guards closed and the growing of callers
	closed  bool
	callers sync.WaitGroup
}

type waitingRecord struct {
	*recording
	done chan error // takes one answer without a taker
}

const (
	groupRecords = 64               // in a call of the keyring, and about as many in a transaction
	groupsSigned = 4                // that may wait to be written
	groupWithin  = 10 * time.Second // of one group, after which its callers are told to try again
	gatherTurns  = 2                // how often others may run before a group is closed
)

func newLedgerGroups(s *Service) *ledgerGroups {
	g := &ledgerGroups{service: s, waiting: make(chan *waitingRecord), signed: make(chan []*waitingRecord, groupsSigned)}
	g.workers.Go(g.signGroups)
	g.workers.Go(g.writeGroups)
	return g
}

var (
	errStopping = privacy.NewError(privacy.KindUnavailable, "stopping", "the service is stopping; try again")
	// errAlone stays in here: it sends a record from its group to a transaction of its own.
	errAlone = privacy.NewError(privacy.KindUnavailable, "alone", "to be written alone")
)

// write puts a prepared record on its ledger.
func (g *ledgerGroups) write(ctx context.Context, r *recording) error {
	if !g.enter() {
		return errStopping
	}
	defer g.callers.Done()
	mine := &waitingRecord{recording: r, done: make(chan error, 1)}
	select {
	case g.waiting <- mine:
	case <-ctx.Done():
		return privacy.Unavailable(context.Cause(ctx), "interrupted", "the call ended before anything was recorded")
	}
	err := <-mine.done   // soon: a group's time is bounded, and what it has begun must be known
	if err == errAlone { //nolint:errorlint // it is never wrapped
		return g.writeAlone(ctx, r)
	}
	return err
}

// close refuses new records, finishes those under way, and waits for the workers.
func (g *ledgerGroups) close() {
	g.mu.Lock()
	already := g.closed
	g.closed = true
	g.mu.Unlock()
	g.callers.Wait()
	if !already {
		close(g.waiting)
	}
	g.workers.Wait()
}

func (g *ledgerGroups) enter() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return false
	}
	g.callers.Add(1)
	return true
}

// A group has a context of its own: it serves many, and must not fail them all because one has left.
func forAGroup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), groupWithin)
}

func (g *ledgerGroups) signGroups() {
	defer close(g.signed)
	for first := range g.waiting {
		ctx, cancel := forAGroup()
		if group := g.sign(ctx, g.gather(first)); len(group) > 0 {
			g.signed <- group
		}
		cancel()
	}
}

// gather takes what is waiting.
func (g *ledgerGroups) gather(first *waitingRecord) []*waitingRecord {
	group, turns := []*waitingRecord{first}, 0
	for len(group) < groupRecords {
		select {
		case r, open := <-g.waiting:
			if !open {
				return group
			}
			group = append(group, r)
		default:
			if turns == gatherTurns {
				return group
			}
			turns++
			runtime.Gosched()
		}
	}
	return group
}

func (g *ledgerGroups) writeGroups() {
	for group := range g.signed {
		ctx, cancel := forAGroup()
		for r, err := range g.writeGroup(ctx, onePerSubject(g.join(group))) {
			r.done <- err
		}
		cancel()
	}
}

// join adds to a group what else is signed already.
func (g *ledgerGroups) join(group []*waitingRecord) []*waitingRecord {
	for len(group) < groupRecords {
		select {
		case more, open := <-g.signed:
			if !open {
				return group
			}
			group = append(group, more...)
		default:
			return group
		}
	}
	return group
}

// onePerSubject leaves a second record of a subject to its caller: it waits for the first one like any other writer.
func onePerSubject(group []*waitingRecord) []*waitingRecord {
	seen := make(map[privacy.SubjectID]bool, len(group))
	return slices.DeleteFunc(group, func(r *waitingRecord) bool {
		if seen[r.id] {
			r.done <- errAlone
			return true
		}
		seen[r.id] = true
		return false
	})
}

// sign signs the receipts of a group, and answers those that cannot do without one. It gives the others.
func (g *ledgerGroups) sign(ctx context.Context, group []*waitingRecord) (signed []*waitingRecord) {
	jws, err := g.service.signer.signAll(ctx, receipt.MediaType, column(group, func(r *waitingRecord) string { return r.payload }))
	for i, r := range group {
		own := ""
		if err == nil {
			own = jws[i]
		}
		if err := r.receive(own, err); err != nil {
			r.done <- err
			continue
		}
		signed = append(signed, r)
	}
	return signed
}

// writeGroup writes a group in one transaction, and says what became of each record.
func (g *ledgerGroups) writeGroup(ctx context.Context, group []*waitingRecord) map[*waitingRecord]error {
	answers := make(map[*waitingRecord]error, len(group))
	if len(group) == 0 {
		return answers
	}
	questions := column(group, func(r *waitingRecord) store.LedgerQuestion { return r.question })
	err := g.service.store.WriteLedgers(ctx, questions, func(heads []store.LedgerHead, w *store.Writes) error {
		at := g.service.instant()
		var drafts []audit.Draft
		for i, r := range group {
			answers[r] = errAlone
			if heads[i].Busy {
				continue
			}
			own := &store.Writes{}
			draft, err := r.write(ctx, &heads[i], at, own)
			if missingKey(err) != nil {
				continue
			}
			if answers[r] = err; err == nil && draft != nil {
				w.Add(own)
				drafts = append(drafts, *draft)
			}
		}
		return g.service.audited(w, drafts, at)
	})
	if err == nil {
		return answers
	}
	if privacy.KindOf(err) != privacy.KindUnavailable {
		err = errAlone // nothing was written, because of one of them
	}
	for _, r := range group {
		answers[r] = err
	}
	return answers
}

// writeAlone writes one record, and waits for whoever holds its subject. One that was found to be prepared under a revision
// no longer in force is to be prepared again first.
func (g *ledgerGroups) writeAlone(ctx context.Context, r *recording) error {
	if r.moved {
		return errNotYet
	}
	return g.service.withKeys(ctx, func() error {
		return g.service.store.WriteLedger(ctx, r.question, func(head *store.LedgerHead, w *store.Writes) error {
			at := g.service.instant()
			draft, err := r.write(ctx, head, at, w)
			if err != nil || draft == nil {
				return err
			}
			return g.service.audited(w, []audit.Draft{*draft}, at)
		})
	})
}

// audited adds the audit entries of what is written.
func (s *Service) audited(w *store.Writes, drafts []audit.Draft, at time.Time) error {
	if len(drafts) == 0 {
		return nil
	}
	batch, err := s.newBatch(at, drafts)
	if err == nil {
		w.AppendAudit(batch)
	}
	return err
}

func column[R, V any](rows []R, value func(R) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return values
}
