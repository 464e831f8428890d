package policy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	keptRevisions  = 8     // the current one, those in flight, drafts being tried out
	memoDecisions  = 50000 // distinct (revision, input) pairs; well under 100 MB
	memoCallers    = 10000 // distinct authorisation questions
	evaluationTime = 5 * time.Second
)

// Engine evaluates revisions. It is safe for concurrent use.
type Engine struct {
	mu     sync.RWMutex
	loaded map[privacy.RevisionID]*prepared
	recent []privacy.RevisionID // the one asked for longest ago first

	decisions   *otter.Cache[memoKey, *Decision]
	permissions *otter.Cache[memoKey, bool]
	refusals    *otter.Cache[memoKey, privacy.Reason]
	evaluations atomic.Uint64
	sizes       sizes
}

// Option adjusts an engine.
type Option func(*sizes)

type sizes struct{ revisions, decisions, permissions int }

// WithRevisions sets how many prepared revisions are kept; the one that was loaded or
// asked for with Loaded longest ago makes room.
func WithRevisions(n int) Option { return func(s *sizes) { s.revisions = max(n, 1) } }

// WithMemo sets how many decisions are remembered.
func WithMemo(n int) Option { return func(s *sizes) { s.decisions = max(n, 1) } }

// NewEngine makes an engine that has no revision yet.
func NewEngine(options ...Option) *Engine {
	s := sizes{revisions: keptRevisions, decisions: memoDecisions, permissions: memoCallers}
	for _, option := range options {
		option(&s)
	}
	return &Engine{
		loaded:      make(map[privacy.RevisionID]*prepared),
		decisions:   newMemo[*Decision](s.decisions),
		permissions: newMemo[bool](s.permissions),
		refusals:    newMemo[privacy.Reason](s.permissions),
		sizes:       s,
	}
}

// newMemo makes a bounded memo that does its housekeeping on the caller's goroutine.
func newMemo[V any](entries int) *otter.Cache[memoKey, V] {
	return otter.Must(&otter.Options[memoKey, V]{MaximumSize: entries, Executor: func(task func()) { task() }})
}

// Load compiles a revision and keeps it ready. Loading one that is ready costs next to
// nothing and keeps it from making room, so flows may load before they decide.
// A revision that does not compile, or calls a built-in that is not pure, is
// KindInvalid with code invalid_policy; the compiler's message is in the cause.
func (e *Engine) Load(ctx context.Context, revision Revision) error {
	if e.touch(revision.ID) {
		return nil
	}
	if err := revision.verify(); err != nil {
		return err
	}
	ready, err := prepare(ctx, revision)
	if err != nil {
		return err
	}
	e.keep(revision.ID, ready)
	return nil
}

// touch makes a loaded revision the most recent, and reports whether it is loaded.
func (e *Engine) touch(id privacy.RevisionID) bool {
	e.mu.RLock()
	loaded, latest := e.loaded[id] != nil, len(e.recent) > 0 && e.recent[len(e.recent)-1] == id
	e.mu.RUnlock()
	if !loaded || latest {
		return loaded
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.loaded[id] == nil {
		return false
	}
	e.moveLast(id)
	return true
}

func (e *Engine) keep(id privacy.RevisionID, ready *prepared) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loaded[id] = ready
	e.moveLast(id)
	if len(e.recent) > e.sizes.revisions {
		delete(e.loaded, e.recent[0])
		e.recent = slices.Delete(e.recent, 0, 1)
	}
}

func (e *Engine) moveLast(id privacy.RevisionID) {
	if i := slices.Index(e.recent, id); i >= 0 {
		e.recent = slices.Delete(e.recent, i, i+1)
	}
	e.recent = append(e.recent, id)
}

// Loaded reports whether the revision is ready, and like Load keeps it from making room.
func (e *Engine) Loaded(id privacy.RevisionID) bool { return e.touch(id) }

// Evaluations counts how often a decision was worked out rather than remembered.
func (e *Engine) Evaluations() uint64 { return e.evaluations.Load() }

func (e *Engine) revision(id privacy.RevisionID) (*prepared, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if ready := e.loaded[id]; ready != nil {
		return ready, nil
	}
	return nil, unavailable(errors.New("the policy revision is not loaded"))
}

func unavailable(cause error) error {
	return privacy.Unavailable(cause, "policy_unavailable", "the policy cannot be evaluated now; try again")
}
