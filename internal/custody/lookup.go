package custody

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Lookup finds a subject by identifier, and puts on record that it was looked for: who is a
// customer is itself personal data. KindNotFound when there is nobody.
func (s *Service) Lookup(ctx context.Context, caller Caller, identifier ProfileIdentifier) (privacy.SubjectID, error) {
	ids, err := s.resolve(ctx, []SubjectRef{{Identifier: identifier}})
	if err != nil {
		return privacy.SubjectID{}, err
	}
	if err := s.recordLookup(ctx, caller, ids[0]); err != nil {
		return privacy.SubjectID{}, err
	}
	if ids[0].IsZero() {
		return ids[0], errNoSubject
	}
	return ids[0], nil
}

// Subject resolves a reference for a call that is put on record itself. When it finds nobody there will be no
// such record, so the look-up is. KindNotFound then.
func (s *Service) Subject(ctx context.Context, caller Caller, ref SubjectRef) (privacy.SubjectID, error) {
	ids, err := s.resolve(ctx, []SubjectRef{ref})
	if err != nil {
		return privacy.SubjectID{}, err
	}
	if ids[0].IsZero() {
		if err := s.recordLookup(ctx, caller, ids[0]); err != nil {
			return privacy.SubjectID{}, err
		}
		return ids[0], errNoSubject
	}
	return ids[0], nil
}

// recordLookup puts on record that somebody was looked for, and who was found; the zero subject when nobody was.
func (s *Service) recordLookup(ctx context.Context, caller Caller, ids ...privacy.SubjectID) error {
	drafts := make([]audit.Draft, len(ids))
	for i, id := range ids {
		drafts[i] = audit.Draft{At: s.instant(), Action: audit.ActionSubjectLookup, Client: caller.Client, RequestID: caller.Request, Subject: id}
	}
	return s.record(ctx, drafts...)
}

// It is the one of the store: who asks for the cause of an error need not know which of the two has looked.
var errNoSubject = store.ErrNoSubject
