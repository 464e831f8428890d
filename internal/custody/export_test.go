package custody

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// TrueCount gives the count of a predicate without noise. It exists in tests of this package alone.
func (s *Service) TrueCount(ctx context.Context, caller Caller, predicate json.RawMessage, purpose privacy.PurposeName) (uint64, error) {
	_, canonical, err := s.predicate(predicate)
	if err != nil {
		return 0, err
	}
	view, err := s.segments.current(ctx)
	if err != nil {
		return 0, err
	}
	attributes, err := s.facetAttributes(view.revision, purpose, canonical.Uses())
	if err != nil {
		return 0, err
	}
	return ask(ctx, newGroupAsker(s, caller, view, purpose, attributes, nil), func(x *segment.Index, permission segment.Permission) (uint64, bool) {
		return x.Count(permission, canonical)
	})
}

// Truth counts people by going through them one by one: every value opened, every decision taken for each of them. It shares nothing with the index
// but the words of the predicate.
type Truth struct {
	service *Service
	people  []truePerson
}

type truePerson struct {
	state    state
	standing privacy.Standing
	consents []store.ConsentState
	facets   map[segment.FacetName]string
}

// NewTruth reads everybody.
func (s *Service) NewTruth(ctx context.Context, ids []privacy.SubjectID) (*Truth, error) {
	truth, at := &Truth{service: s, people: make([]truePerson, len(ids))}, s.instant()
	return truth, InParallel(ctx, len(ids), func(ctx context.Context, i int) error { return truth.read(ctx, ids[i], &truth.people[i], at) })
}

func (t *Truth) read(ctx context.Context, id privacy.SubjectID, p *truePerson, at time.Time) error {
	s := t.service
	_, snapshots, err := s.store.ReadForDisclosure(ctx, "", s.facetSources(), []privacy.SubjectID{id}, at)
	if err != nil {
		return err
	}
	snapshot := &snapshots[0]
	key, err := s.keyring.Subject(ctx, id, snapshot.Subject.Slot)
	if err != nil {
		return err
	}
	p.standing, p.facets = snapshot.Subject.Standing, make(map[segment.FacetName]string)
	if p.state, err = openState(key, &snapshot.Subject); err != nil {
		return err
	}
	if p.consents, err = s.store.ConsentStates(ctx, id); err != nil {
		return err
	}
	for _, facet := range s.catalogue.Facets() {
		steps := facet.Steps(func(attribute privacy.AttributeID) (held catalogue.HeldValue, ok bool) {
			sealed, ok := snapshot.Value(attribute)
			if ok {
				held.Value, err = key.Open(keyring.KindAttribute, attribute, sealed.Version, sealed.Sealed)
			}
			return held, ok && err == nil
		}, at)
		_ = steps[0].Value.Borrow(func(text string) error { p.facets[segment.FacetName(facet.Name)] = text; return nil })
	}
	return nil
}

// Count goes through everybody.
func (t *Truth) Count(ctx context.Context, caller Caller, predicate json.RawMessage, purpose privacy.PurposeName) (n uint64, err error) {
	s := t.service
	p, canonical, err := s.predicate(predicate)
	if err != nil {
		return 0, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return 0, err
	}
	attributes, err := s.facetAttributes(revision, purpose, canonical.Uses())
	if err != nil {
		return 0, err
	}
	at, parts := s.instant(), slices.Collect(slices.Chunk(t.people, 1000))
	var counted atomic.Uint64
	err = InParallel(ctx, len(parts), func(ctx context.Context, part int) error {
		input := s.newDecider(revision, caller.Caller, purpose, attributes).input
		for i := range parts[part] {
			person := &parts[part][i]
			consent := store.ConsentState{Status: privacy.ConsentNone}
			for _, given := range person.consents {
				if given.Purpose == purpose {
					consent = given
				}
			}
			input.Subject = s.policyState(revision, purpose, person.state, person.standing, consent, at)
			decision, err := s.policy.Decide(ctx, revision, input)
			if err != nil {
				return err
			}
			if countable(&decision.Outcome, attributes) && p.Matches(s.segments.facets, func(name segment.FacetName) string { return person.facets[name] }) {
				counted.Add(1)
			}
		}
		return nil
	})
	return counted.Load(), err
}

// BuildSegments builds the index once, as RunSegments does until it succeeds.
func (s *Service) BuildSegments(ctx context.Context) error { return s.segments.build(ctx) }
