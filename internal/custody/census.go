package custody

import (
	"context"
	"errors"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A census tells in which policy states people are. Most are in the same state as many others, so the population is
// folded into its distinct states, with how many people are in each: whoever tries a policy decides on states. Memory is
// bounded by the states, not the people, and nothing leaves but the coarse [privacy.SubjectState].

// CensusQuestion is what a census is asked: for purposes, under two revisions that an engine has loaded, which may put
// people under different laws.
type CensusQuestion struct {
	At            time.Time
	Purposes      []privacy.PurposeName
	Policy        *policy.Engine
	Before, After privacy.RevisionID
}

// Census is everybody, folded.
type Census struct {
	People int
	States []*CensusState
}

// CensusState is a distinct state for a purpose, under each revision, and how many people are in it.
type CensusState struct {
	Purpose       privacy.PurposeName
	Before, After privacy.SubjectState
	People        int
}

// censusKey tells states apart.
type censusKey struct {
	purpose privacy.PurposeName
	state   stateKey
	after   privacy.Regime
}

// folding folds one part of the population at a time.
type folding struct {
	service  *Service
	question *CensusQuestion
	states   map[censusKey]*CensusState
	laws     map[residence][2]privacy.Regime
	people   int
}

// keptLaws bounds how many residences a folding remembers the laws of.
const keptLaws = 10_000

// Census reads the population; each reader folds what it reads, and what they have is brought together.
func (s *Service) Census(ctx context.Context, question CensusQuestion) (*Census, error) {
	parts := make([]*folding, populationReaders())
	for i := range parts {
		parts[i] = &folding{service: s, question: &question, states: make(map[censusKey]*CensusState), laws: make(map[residence][2]privacy.Regime)}
	}
	err := s.eachRange(ctx, len(parts), func(ctx context.Context, reader int, next store.SubjectRange) error {
		return parts[reader].read(ctx, next)
	})
	if err != nil {
		return nil, err
	}
	return joined(parts), nil
}

// joined brings the foldings together.
func joined(parts []*folding) *Census {
	whole := &Census{}
	states := make(map[censusKey]*CensusState)
	for _, part := range parts {
		whole.People += part.people
		for key, state := range part.states {
			if have, ok := states[key]; ok {
				have.People += state.People
			} else {
				states[key] = state
				whole.States = append(whole.States, state)
			}
		}
	}
	return whole
}

func (f *folding) read(ctx context.Context, in store.SubjectRange) error {
	for person, err := range f.service.store.Population(ctx, in) {
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
	s := f.service
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
	home := s.residence(st, f.question.At)
	laws := f.lawsOf(home)
	for _, purpose := range f.question.Purposes {
		f.count(purpose, home.state(purpose, person.Subject.Standing, person.Consent(purpose), f.question.At), laws)
	}
	f.people++
	return nil
}

func (f *folding) lawsOf(home residence) [2]privacy.Regime {
	laws, known := f.laws[home]
	if !known {
		q := f.question
		laws = [2]privacy.Regime{home.regimeUnder(q.Policy, q.Before), home.regimeUnder(q.Policy, q.After)}
		if len(f.laws) >= keptLaws {
			clear(f.laws)
		}
		f.laws[home] = laws
	}
	return laws
}

func (f *folding) count(purpose privacy.PurposeName, state privacy.SubjectState, laws [2]privacy.Regime) {
	state.Regime = laws[0]
	key := censusKey{purpose, newStateKey(state), laws[1]}
	if have, ok := f.states[key]; ok {
		have.People++
		return
	}
	after := state
	after.Regime = laws[1]
	f.states[key] = &CensusState{Purpose: purpose, Before: state, After: after, People: 1}
}
