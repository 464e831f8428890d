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

// segmentReading reads people into an index, as of a time.
type segmentReading struct {
	*segments
	index   *segment.Index
	states  *stateBook
	version segment.Version
	at      time.Time
	apply   func([]segment.Subject)
}

// peopleRead is what was found of people.
type peopleRead struct {
	seen    []privacy.SubjectID
	damaged []privacy.SubjectID // of whom something does not open
	old     []privacy.SubjectID // whose facets have to be made anew
	counted int                 // the living in the index now
}

// take reads people. Facets that were made by other rules, or never, are made anew. Somebody of whom something is damaged is counted
// nowhere, and stands in nobody else's way.
func (r segmentReading) take(ctx context.Context, people iter.Seq2[*store.Person, error]) (*peopleRead, error) {
	t, err := r.takeCurrent(ctx, people)
	if err != nil {
		return nil, err
	}
	if len(t.old) > 0 {
		remade, lost, err := r.remake(ctx, t.old)
		if err != nil {
			return nil, err
		}
		again, err := r.takeCurrent(ctx, r.service.store.CountablesOf(ctx, remade))
		if err != nil {
			return nil, err
		}
		if len(again.old) > 0 {
			return nil, privacy.Unavailable(nil, "facets_contested", "another node makes facets by other rules; finish the upgrade")
		}
		t.damaged, t.counted = slices.Concat(t.damaged, lost, again.damaged), t.counted+again.counted
	}
	r.leaveOut(t)
	return t, nil
}

// remake makes the facets of people anew, but of those of whom something is damaged.
func (r segmentReading) remake(ctx context.Context, ids []privacy.SubjectID) (remade, damaged []privacy.SubjectID, err error) {
	for _, id := range ids {
		switch err := r.service.RemakeFacets(ctx, id); {
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

// leaveOut has those of whom something is damaged counted nowhere for a while.
func (r segmentReading) leaveOut(t *peopleRead) {
	r.leftOut.note(t)
	if len(t.damaged) == 0 {
		return
	}
	gone := make([]segment.Subject, len(t.damaged))
	for i, id := range t.damaged {
		gone[i] = segment.Subject{ID: id, Version: r.version, Gone: true}
	}
	r.apply(gone)
	r.index.Again(t.damaged, r.at.Add(damagedAgain))
}

// tellLeftOut has the log say that somebody is left out.
func (s *Service) tellLeftOut(ctx context.Context, people int) {
	if people > 0 {
		s.log.WarnContext(ctx, "people of whom something is damaged are in no segment: an operator must look into it", slog.Int("subjects", people))
	}
}

// appliedAtOnce is how many people go into the index together: answers wait for them.
const appliedAtOnce = 250

// takeCurrent is take but for the people whose facets have to be made anew, and those of whom something is damaged.
func (r segmentReading) takeCurrent(ctx context.Context, people iter.Seq2[*store.Person, error]) (*peopleRead, error) {
	t, subjects, width := &peopleRead{}, make([]segment.Subject, 0, appliedAtOnce), len(r.facets)+len(r.states.purposes)
	codes := make([]segment.Code, appliedAtOnce*width)
	for person, err := range people {
		if err != nil {
			return nil, err
		}
		t.seen = append(t.seen, person.Subject.ID)
		subject, current, err := r.subject(ctx, person, codes[len(subjects)*width:][:width])
		switch {
		case isDamage(err):
			t.damaged = append(t.damaged, person.Subject.ID)
		case err != nil:
			return nil, err
		case !current:
			t.old = append(t.old, person.Subject.ID)
		default:
			if !subject.Gone {
				t.counted++
			}
			if subjects = append(subjects, subject); len(subjects) == appliedAtOnce {
				r.apply(subjects)
				subjects = subjects[:0]
			}
		}
	}
	r.apply(subjects)
	return t, nil
}

// subject works out what the index holds of one person. It reports false of facets that were made by other rules, or never: they
// have to be made anew first. The codes of facets and states are put where it is told to.
func (r segmentReading) subject(ctx context.Context, person *store.Person, codes []segment.Code) (subject segment.Subject, current bool, err error) {
	subject.ID, subject.Version = person.Subject.ID, r.version
	if subject.Gone = person.Subject.Erased; subject.Gone {
		return subject, true, nil
	}
	s := r.service
	key, err := s.keyring.Subject(ctx, person.Subject.ID, person.Subject.Slot)
	if errors.Is(err, keyring.ErrPunctured) {
		subject.Gone = true
		return subject, true, nil
	}
	if err != nil || person.Facets.Sealed == nil {
		return subject, false, err
	}
	subject.Facets, subject.States = codes[:len(r.facets)], codes[len(r.facets):]
	next, current, err := s.readFacets(key, &person.Facets, r.at, r.names, func(values []string) { r.index.Codes(values, subject.Facets) })
	if err != nil || !current {
		return subject, false, err
	}
	st, err := openState(key, &person.Subject)
	if err != nil {
		return subject, false, err
	}
	facts := s.facts(st)
	home := residenceOf(facts, st, r.at)
	r.states.codes(home, subject.States, func(purpose privacy.PurposeName) privacy.SubjectState {
		return home.state(purpose, person.Subject.Standing, person.Consent(purpose), r.at)
	})
	for i := range person.Consents {
		consent := &person.Consents[i]
		if consent.Status == privacy.ConsentGranted && consent.ExpiresAt.After(r.at) {
			next = sooner(next, consent.ExpiresAt)
		}
	}
	subject.Due = sooner(next, privacy.NextAgeBand(facts.Born, r.at))
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
	booked []map[bookedKey]segment.Code
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
	b := &stateBook{purposes: purposes, places: make(map[residence]homeNo), booked: make([]map[bookedKey]segment.Code, len(purposes)), states: make([][]bookedState, len(purposes))}
	for i := range purposes {
		b.booked[i], b.states[i] = make(map[bookedKey]segment.Code), make([]bookedState, 1)
	}
	return b
}

// codes gives the numbers of somebody's states for each purpose, new ones if need be. Beyond the numbers there are it is one that permits
// nothing.
func (b *stateBook) codes(home residence, codes []segment.Code, state func(privacy.PurposeName) privacy.SubjectState) {
	if b.known(home, codes, state) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	where, known := b.places[home]
	if !known {
		where = homeNo(len(b.homes)) //nolint:gosec // fewer than people
		b.places[home] = where
		b.homes = append(b.homes, home)
	}
	for i, purpose := range b.purposes {
		codes[i] = b.book(i, where, state(purpose))
	}
}

func (b *stateBook) known(home residence, codes []segment.Code, state func(privacy.PurposeName) privacy.SubjectState) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	where, known := b.places[home]
	for i := 0; known && i < len(codes); i++ {
		said := state(b.purposes[i])
		codes[i], known = b.booked[i][bookedKey{where, newSaidKey(&said)}]
	}
	return known
}

func (b *stateBook) book(purpose int, home homeNo, state privacy.SubjectState) segment.Code {
	key := bookedKey{home, newSaidKey(&state)}
	code, known := b.booked[purpose][key]
	if known {
		return code
	}
	if len(b.states[purpose]) >= int(segment.Overflow) {
		return segment.Overflow
	}
	code = segment.Code(len(b.states[purpose])) //nolint:gosec // below the overflow
	b.booked[purpose][key] = code
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
