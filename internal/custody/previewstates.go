package custody

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A preview asks what a policy decides about everybody. Most people are in the same policy state as many others, so the
// population is folded into its distinct states, with how many people are in each; only states are decided on. Memory
// is bounded by the states, not the people.

// foldedKey is a purpose and a policy state under two revisions, which may put people under different laws.
type foldedKey struct {
	purpose privacy.PurposeName
	state   stateKey
	after   privacy.Regime
}

// folded is a distinct state.
type folded struct {
	purpose       privacy.PurposeName
	before, after privacy.SubjectState
	people        int
}

// population is everybody, folded.
type population struct {
	people int
	states []*folded
}

// folding folds one part of the population at a time.
type folding struct {
	preview  *preview
	states   map[foldedKey]*folded
	laws     map[residence][2]privacy.Regime
	consents map[privacy.PurposeName]store.ConsentState
	people   int
}

// keptLaws bounds how many residences a folding remembers the laws of.
const keptLaws = 10_000

// fold reads the population, as many parts at a time as there are processors.
func (p *preview) fold(ctx context.Context) (*population, error) {
	group, ctx := errgroup.WithContext(ctx)
	ranges := make(chan store.SubjectRange)
	group.Go(func() error {
		defer close(ranges)
		for next, err := range p.service.store.SubjectRanges(ctx) {
			if err != nil {
				return err
			}
			select {
			case ranges <- next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	parts := make([]*folding, runtime.GOMAXPROCS(0)+1) // one more, because PostgreSQL and the keys take turns
	for i := range parts {
		parts[i] = &folding{preview: p, states: make(map[foldedKey]*folded), laws: make(map[residence][2]privacy.Regime), consents: make(map[privacy.PurposeName]store.ConsentState)}
		group.Go(func() error {
			for next := range ranges {
				if err := parts[i].read(ctx, next); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return joined(parts), nil
}

// joined brings the foldings together.
func joined(parts []*folding) *population {
	whole := &population{}
	states := make(map[foldedKey]*folded)
	for _, part := range parts {
		whole.people += part.people
		for key, state := range part.states {
			if have, ok := states[key]; ok {
				have.people += state.people
			} else {
				states[key] = state
				whole.states = append(whole.states, state)
			}
		}
	}
	return whole
}

func (f *folding) read(ctx context.Context, in store.SubjectRange) error {
	for person, err := range f.preview.service.store.Population(ctx, in) {
		if err == nil {
			err = f.add(ctx, person)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add folds one person in. Somebody whose key is gone is nobody any more.
func (f *folding) add(ctx context.Context, person *store.Person) error {
	s := f.preview.service
	key, err := s.keyring.Subject(ctx, person.Subject.ID, person.Subject.Slot)
	if errors.Is(err, keyring.ErrPunctured) {
		return nil
	}
	if err != nil {
		return err
	}
	st, err := openState(key, &person.Subject)
	if err != nil {
		return err
	}
	home := s.residence(st, f.preview.at)
	laws := f.lawsOf(home)
	clear(f.consents)
	for i := range person.Consents {
		f.consents[person.Consents[i].Purpose] = person.Consents[i]
	}
	for _, purpose := range f.preview.purposes {
		consent, given := f.consents[purpose]
		if !given {
			consent.Status = privacy.ConsentNone
		}
		f.count(purpose, home.state(purpose, person.Subject.Standing, consent, f.preview.at), laws)
	}
	f.people++
	return nil
}

func (f *folding) lawsOf(home residence) [2]privacy.Regime {
	laws, known := f.laws[home]
	if !known {
		engine := f.preview.engine
		laws = [2]privacy.Regime{home.regimeUnder(engine, f.preview.before.ID), home.regimeUnder(engine, f.preview.after.ID)}
		if len(f.laws) >= keptLaws {
			clear(f.laws)
		}
		f.laws[home] = laws
	}
	return laws
}

func (f *folding) count(purpose privacy.PurposeName, state privacy.SubjectState, laws [2]privacy.Regime) {
	state.Regime = laws[0]
	key := foldedKey{purpose, newStateKey(state), laws[1]}
	if have, ok := f.states[key]; ok {
		have.people++
		return
	}
	after := state
	after.Regime = laws[1]
	f.states[key] = &folded{purpose: purpose, before: state, after: after, people: 1}
}

// inParallel does a piece of work for every index, on all processors.
func inParallel(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error { return work(ctx, i) })
	}
	return group.Wait()
}

// previewSpan is the span of recorded decisions that a preview looks back over.
func previewSpan(at time.Time, days int) time.Time { return at.AddDate(0, 0, -days) }
