package custody

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// subjectKey gives the key of a subject, [keyring.ErrPunctured] of one who is erased. The mark in the database counts before the
// key: this process may still hold the page that the key derives from.
func (s *Service) subjectKey(ctx context.Context, row *store.Subject) (*keyring.Subject, error) {
	if row.Erased {
		return nil, keyring.ErrPunctured
	}
	return s.keyring.Subject(ctx, row.ID, row.Slot)
}

func (s *Service) sealNew(ctx context.Context, profiles []Profile, keys [][]store.IdentifierKey, fresh []int, at time.Time) ([]store.NewSubject, error) {
	subjects := make([]store.NewSubject, len(fresh))
	slots := newSlots{service: s, want: len(fresh)}
	for n, i := range fresh {
		id, err := privacy.NewSubjectID(at, s.random)
		if err != nil {
			return nil, err
		}
		slot, key, err := slots.next(ctx, id)
		if err != nil {
			return nil, err
		}
		if subjects[n], err = s.sealProfile(id, slot, key, &profiles[i], keys[i], at); err != nil {
			return nil, err
		}
	}
	return subjects, nil
}

func (s *Service) sealProfile(id privacy.SubjectID, slot privacy.KeySlot, key *keyring.Subject, profile *Profile, keys []store.IdentifierKey, at time.Time) (store.NewSubject, error) {
	subject := store.NewSubject{Subject: store.Subject{ID: id, Slot: slot, Version: 1}}
	st := s.newState(profile)
	for _, field := range profile.Attributes {
		value, err := s.sealValue(key, field, 1, profile, at)
		if err != nil {
			return subject, err
		}
		subject.Values = append(subject.Values, value)
	}
	var err error
	if subject.Identifiers, err = s.sealIdentifiers(key, profile, keys); err != nil {
		return subject, err
	}
	if subject.Facets, err = s.sealFacets(key, 1, heldIn(profile.Attributes, subject.Values), at); err != nil {
		return subject, err
	}
	subject.Subject.State, err = st.seal(key, s.catalogue.StateAttributes(), 1)
	return subject, err
}

// newState is the policy state of somebody who is not known yet.
func (s *Service) newState(profile *Profile) state {
	st := state{regime: profile.Regime}
	for _, field := range profile.Attributes {
		if s.isState(field.Attribute.Name) && !field.Delete {
			st.set(field.Attribute.Name, field.Value)
		}
	}
	return st
}

// sealValue seals a field for storage; of one to be deleted nothing is sealed.
func (s *Service) sealValue(key *keyring.Subject, field ProfileValue, version uint32, profile *Profile, at time.Time) (store.Value, error) {
	value := store.Value{Attribute: field.Attribute.ID, Version: version, Source: profile.Source, CollectedAt: profile.collected(at)}
	if field.Delete {
		return value, nil
	}
	var err error
	value.Sealed, err = key.Seal(keyring.KindAttribute, field.Attribute.ID, version, field.Value)
	value.ExpiresAt, _ = field.Attribute.Expiry(value.CollectedAt)
	return value, err
}

func (s *Service) sealIdentifiers(key *keyring.Subject, profile *Profile, keys []store.IdentifierKey) ([]store.Identifier, error) {
	var identifiers []store.Identifier
	for _, d := range profile.Identifiers {
		k := s.identifierKey(d)
		if !slices.Contains(keys, k) || slices.ContainsFunc(identifiers, func(have store.Identifier) bool { return have.Key == k }) {
			continue
		}
		sealed, err := key.Seal(keyring.KindIdentifier, d.Type.ID, 1, d.Value)
		if err != nil {
			return nil, err
		}
		identifiers = append(identifiers, store.Identifier{Key: k, Sealed: sealed, Verified: d.Verified, Source: profile.Source})
	}
	return identifiers, nil
}

// collected is when the profile was collected: now when it does not say, and not later than now, because a
// source whose clock is ahead must not outrank what comes next.
func (p *Profile) collected(at time.Time) time.Time {
	if p.CollectedAt.IsZero() || p.CollectedAt.After(at) {
		return at
	}
	return p.CollectedAt.UTC().Truncate(time.Microsecond)
}

func (s *Service) isState(name privacy.AttributeName) bool {
	return slices.Contains(s.catalogue.StateAttributes(), name)
}
