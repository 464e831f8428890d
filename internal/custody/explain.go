package custody

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Question asks what a decision would be, about a subject or about a made-up policy state.
type Question struct {
	Client     privacy.ClientID
	Roles      []privacy.Role // of the client; consumer when empty
	Purpose    privacy.PurposeName
	Attributes []privacy.AttributeName
	Subject    *SubjectRef
	State      *privacy.SubjectState
}

// Explanation is what would be decided, on what, and by which rules. Nothing is released, and no
// value is opened.
type Explanation struct {
	Revision privacy.RevisionID    `json:"revision"`
	Input    privacy.DecisionInput `json:"input"`
	Outcome  privacy.Outcome       `json:"outcome"`
	Trace    []string              `json:"trace"`
}

// Explain takes a decision without carrying it out. Asking about a person is put on record, whether
// or not there is such a person.
func (s *Service) Explain(ctx context.Context, caller Caller, q Question) (*Explanation, error) {
	asked, err := s.askedAttributes(q.Attributes)
	if err != nil {
		return nil, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return nil, err
	}
	if !s.policy.PurposeKnown(revision, q.Purpose) {
		return nil, ErrUnknownPurpose
	}
	roles := q.Roles
	if len(roles) == 0 {
		roles = []privacy.Role{privacy.RoleConsumer}
	}
	input := s.newDecider(revision, privacy.Caller{Client: q.Client, Roles: roles}, q.Purpose, asked.names).input
	input.Subject, revision, err = s.questionState(ctx, caller, revision, q)
	if err != nil {
		return nil, err
	}
	outcome, trace, err := s.policy.Explain(ctx, revision, input)
	if err != nil {
		return nil, err
	}
	return &Explanation{Revision: revision, Input: input, Outcome: outcome, Trace: trace}, nil
}

// questionState gives the state to explain for, and the revision that was in force when it was read.
func (s *Service) questionState(ctx context.Context, caller Caller, revision privacy.RevisionID, q Question) (privacy.SubjectState, privacy.RevisionID, error) {
	if q.State != nil {
		return *q.State, revision, nil
	}
	if q.Subject == nil {
		return privacy.SubjectState{}, "", privacy.Invalid("invalid_subject", "give a subject or a state, one of the two")
	}
	ids, err := s.resolve(ctx, []SubjectRef{*q.Subject})
	if err != nil {
		return privacy.SubjectState{}, "", err
	}
	now := s.instant()
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, q.Purpose, nil, ids, now)
	if err != nil {
		return privacy.SubjectState{}, "", err
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return privacy.SubjectState{}, "", err
	}
	draft := audit.Draft{At: now, Action: audit.ActionDecisionExplain, Client: caller.Client, RequestID: caller.Request, Purpose: q.Purpose}
	draft.Subject = snapshots[0].Subject.ID // zero when there is none
	if err := s.record(ctx, draft); err != nil {
		return privacy.SubjectState{}, "", err
	}
	if !snapshots[0].Exists() {
		return privacy.SubjectState{}, "", errNoSubject
	}
	row := &snapshots[0].Subject
	key, err := s.subjectKey(ctx, row)
	if err != nil {
		return privacy.SubjectState{}, "", err
	}
	st, err := openState(key, row)
	if err != nil {
		return privacy.SubjectState{}, "", err
	}
	return s.policyState(revision, q.Purpose, st, row.Standing, snapshots[0].Consent, now), revision, nil
}
