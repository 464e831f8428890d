package custody

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// damagedAgain is after how long somebody of whom something cannot be opened is looked at again: an operator may have put a key page back.
const damagedAgain = time.Hour

// take reads people into an index, and gives whom it has seen. Facets that were made by other rules, or never, are made anew. Somebody of whom
// something is damaged is counted nowhere, and stands in nobody else's way.
func (g *segments) take(ctx context.Context, index *segment.Index, states *stateBook, people iter.Seq2[*store.Person, error], version segment.Version, at time.Time) ([]privacy.SubjectID, error) {
	seen, old, damaged, err := g.takeCurrent(ctx, index, states, people, version, at)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		remade, lost, err := g.remake(ctx, old)
		if err != nil {
			return nil, err
		}
		_, contested, again, err := g.takeCurrent(ctx, index, states, g.service.store.CountablesOf(ctx, remade), version, at)
		if err != nil {
			return nil, err
		}
		if len(contested) > 0 {
			return nil, privacy.Unavailable(nil, "facets_contested", "another node makes facets by other rules; finish the upgrade")
		}
		damaged = slices.Concat(damaged, lost, again)
	}
	g.leaveOut(ctx, index, damaged, version, at)
	return seen, nil
}

// remake makes the facets of people anew, but of those of whom something is damaged.
func (g *segments) remake(ctx context.Context, ids []privacy.SubjectID) (remade, damaged []privacy.SubjectID, err error) {
	for _, id := range ids {
		switch err := g.service.RemakeFacets(ctx, id); {
		case isDamage(err):
			damaged = append(damaged, id)
		case err != nil && privacy.KindOf(err) != privacy.KindNotFound:
			return nil, nil, err
		default:
			remade = append(remade, id)
		}
	}
	return remade, damaged, nil
}

// leaveOut has people counted nowhere for a while.
func (g *segments) leaveOut(ctx context.Context, index *segment.Index, damaged []privacy.SubjectID, version segment.Version, at time.Time) {
	if len(damaged) == 0 {
		return
	}
	gone := make([]segment.Subject, len(damaged))
	for i, id := range damaged {
		gone[i] = segment.Subject{ID: id, Version: version, Gone: true}
	}
	index.Apply(gone)
	index.Again(damaged, at.Add(damagedAgain))
	g.service.log.WarnContext(ctx, "people of whom something is damaged are in no segment: an operator must look into it", slog.Int("subjects", len(damaged)))
}

// takeCurrent is take but for the people whose facets have to be made anew, whom it gives as old, and those of whom something is damaged.
func (g *segments) takeCurrent(ctx context.Context, index *segment.Index, states *stateBook, people iter.Seq2[*store.Person, error], version segment.Version, at time.Time) (seen, old, damaged []privacy.SubjectID, err error) {
	var subjects []segment.Subject
	for person, err := range people {
		if err != nil {
			return nil, nil, nil, err
		}
		seen = append(seen, person.Subject.ID)
		subject, current, err := g.subject(ctx, states, person, at)
		switch {
		case isDamage(err):
			damaged = append(damaged, person.Subject.ID)
		case err != nil:
			return nil, nil, nil, err
		case !current:
			old = append(old, person.Subject.ID)
		default:
			subject.Version = version
			subjects = append(subjects, subject)
		}
	}
	index.Apply(subjects)
	return seen, old, damaged, nil
}

// subject works out what the index holds of one person. It reports false of facets that were made by other rules, or never: they
// have to be made anew first.
func (g *segments) subject(ctx context.Context, states *stateBook, person *store.Person, at time.Time) (subject segment.Subject, current bool, err error) {
	s := g.service
	subject.ID = person.Subject.ID
	if subject.Gone = person.Subject.Erased; subject.Gone {
		return subject, true, nil
	}
	key, err := s.keyring.Subject(ctx, person.Subject.ID, person.Subject.Slot)
	if errors.Is(err, keyring.ErrPunctured) {
		subject.Gone = true
		return subject, true, nil
	}
	if err != nil || person.Facets.Sealed == nil {
		return subject, false, err
	}
	subject.Facets = make([]string, len(g.facets))
	next, current, err := s.readFacets(key, &person.Facets, at, g.places, subject.Facets)
	if err != nil || !current {
		return subject, false, err
	}
	st, err := openState(key, &person.Subject)
	if err != nil {
		return subject, false, err
	}
	facts := s.facts(st)
	home := residenceOf(facts, st, at)
	for i := range person.Consents {
		consent := &person.Consents[i]
		if consent.Status == privacy.ConsentGranted && consent.ExpiresAt.After(at) {
			next = sooner(next, consent.ExpiresAt)
		}
	}
	subject.States = make([]segment.Code, len(states.purposes))
	where := states.home(home)
	for i, purpose := range states.purposes {
		subject.States[i] = states.code(i, where, home.state(purpose, person.Subject.Standing, person.Consent(purpose), at))
	}
	subject.Due = sooner(next, privacy.NextAgeBand(facts.Born, at))
	return subject, true, nil
}

// sooner gives the earlier of two times, of which zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// stateBook numbers the distinct policy states of each purpose. The law that a state is under is not part of it: that is for the revision
// in force to say, from where people live.
type stateBook struct {
	purposes []privacy.PurposeName

	mu     sync.RWMutex
	places map[residence]homeNo
	homes  []residence
	codes  []map[bookedKey]segment.Code
	states [][]bookedState // by code
}

// homeNo numbers a residence, because comparing states is most of the work of building an index.
type homeNo uint32

type bookedKey struct {
	home homeNo
	said saidKey
}

type bookedState struct {
	home  homeNo
	state privacy.SubjectState
}

func newStateBook(purposes []privacy.PurposeName) *stateBook {
	b := &stateBook{purposes: purposes, places: make(map[residence]homeNo), codes: make([]map[bookedKey]segment.Code, len(purposes)), states: make([][]bookedState, len(purposes))}
	for i := range purposes {
		b.codes[i], b.states[i] = make(map[bookedKey]segment.Code), make([]bookedState, 1)
	}
	return b
}

// home gives the number of a residence, a new one if need be.
func (b *stateBook) home(r residence) homeNo {
	b.mu.RLock()
	home, known := b.places[r]
	b.mu.RUnlock()
	if known {
		return home
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if home, known = b.places[r]; !known {
		home = homeNo(len(b.homes)) //nolint:gosec // fewer than people
		b.places[r] = home
		b.homes = append(b.homes, r)
	}
	return home
}

// code gives the number of a state, a new one if need be. Beyond the numbers there are it is one that permits nothing.
func (b *stateBook) code(purpose int, home homeNo, state privacy.SubjectState) segment.Code {
	key := bookedKey{home, newSaidKey(&state)}
	b.mu.RLock()
	code, known := b.codes[purpose][key]
	b.mu.RUnlock()
	if known {
		return code
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if code, known = b.codes[purpose][key]; known {
		return code
	}
	if len(b.states[purpose]) >= int(segment.Overflow) {
		return segment.Overflow
	}
	code = segment.Code(len(b.states[purpose])) //nolint:gosec // below the overflow
	b.codes[purpose][key] = code
	b.states[purpose] = append(b.states[purpose], bookedState{home, state})
	return code
}

// state gives the policy state of a number, as a revision sees it.
func (b *stateBook) state(engine *policy.Engine, revision privacy.RevisionID, purpose int, code segment.Code) privacy.SubjectState {
	b.mu.RLock()
	booked := b.states[purpose][code]
	home := b.homes[booked.home]
	b.mu.RUnlock()
	booked.state.Regime = home.regimeUnder(engine, revision)
	return booked.state
}
