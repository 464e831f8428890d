package custody

import (
	"context"
	"errors"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Law is what holds for a request of a subject.
type Law struct {
	Regime   privacy.Regime
	Country  string // ISO 3166-1 alpha-2; "" when unknown
	Revision privacy.RevisionID
	Terms    policy.RequestTerms
}

// StrictestLaw gives the terms that hold where it is not known, or may not show, who is asking.
func (s *Service) StrictestLaw(ctx context.Context, right privacy.RequestType) (Law, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return Law{}, err
	}
	return s.lawUnder(revision, privacy.RegimeDefault, "", right)
}

// LawNamed gives the terms of a law, wherever its subject lives.
func (s *Service) LawNamed(ctx context.Context, regime privacy.Regime, right privacy.RequestType) (Law, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return Law{}, err
	}
	return s.lawUnder(revision, regime, "", right)
}

// LawOf gives the terms that hold for a subject, the strictest while their key cannot be had, or where something of them is damaged: a request
// must not be turned away because the keyring is, or because it is about what nobody can read.
func (s *Service) LawOf(ctx context.Context, id privacy.SubjectID, right privacy.RequestType) (Law, error) {
	laws, err := s.LawsOf(ctx, []privacy.SubjectID{id}, right)
	if err != nil {
		return Law{}, err
	}
	return laws[0].Law, laws[0].Err
}

// LawFor is the law of one of several subjects, or why there is none: they are not known, or erased.
type LawFor struct {
	Law
	Err error
}

// LawsOf is LawOf for several subjects. The error is set when none of them could be looked at.
func (s *Service) LawsOf(ctx context.Context, ids []privacy.SubjectID, right privacy.RequestType) ([]LawFor, error) {
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, "", nil, ids, s.instant())
	if err != nil {
		return nil, err
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return nil, err
	}
	laws := make([]LawFor, len(ids))
	for i := range snapshots {
		if !snapshots[i].Exists() {
			laws[i].Err = errNoSubject
			continue
		}
		laws[i].Law, laws[i].Err = s.lawOver(ctx, revision, &snapshots[i].Subject, right)
	}
	return laws, nil
}

// lawOver gives the terms that hold for a subject as they were read.
func (s *Service) lawOver(ctx context.Context, revision privacy.RevisionID, row *store.Subject, right privacy.RequestType) (Law, error) {
	key, err := s.subjectKey(ctx, row)
	if errors.Is(err, keyring.ErrPunctured) {
		return Law{}, store.ErrErased
	}
	if err != nil && (privacy.KindOf(err) == privacy.KindUnavailable || isDamage(err)) {
		return s.lawUnder(revision, privacy.RegimeDefault, "", right)
	}
	if err != nil {
		return Law{}, err
	}
	st, err := openState(key, row)
	if isDamage(err) {
		return s.lawUnder(revision, privacy.RegimeDefault, "", right)
	}
	if err != nil {
		return Law{}, err
	}
	home := s.residence(st, s.instant())
	return s.lawUnder(revision, home.regimeUnder(s.policy, revision), home.country, right)
}

func (s *Service) lawUnder(revision privacy.RevisionID, regime privacy.Regime, country string, right privacy.RequestType) (Law, error) {
	deadlines, ok := s.policy.Deadlines(revision)
	if !ok {
		return Law{}, privacy.Unavailable(nil, "policy_unavailable", "the policy in force has no deadlines; an officer must add them")
	}
	return Law{Regime: regime, Country: country, Revision: revision, Terms: deadlines.Terms(regime, string(right))}, nil
}

// Handling says how the policy in force wants requests led.
func (s *Service) Handling(ctx context.Context) (policy.Handling, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return policy.Handling{}, err
	}
	return s.policy.Handling(revision), nil
}
