package custody

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Lookup finds a subject by identifier, and puts on record that it was looked for: who is a
// customer is itself personal data. KindNotFound when there is nobody.
func (s *Service) Lookup(ctx context.Context, caller Caller, identifier ProfileIdentifier) (privacy.SubjectID, error) {
	ids, err := s.resolve(ctx, []SubjectRef{{Identifier: identifier}})
	if err != nil {
		return privacy.SubjectID{}, err
	}
	draft := audit.Draft{At: s.instant(), Action: audit.ActionSubjectLookup, Client: caller.Client, RequestID: caller.Request, Subject: ids[0]}
	if err := s.record(ctx, draft); err != nil {
		return privacy.SubjectID{}, err
	}
	if ids[0].IsZero() {
		return ids[0], errNoSubject
	}
	return ids[0], nil
}

// Subject resolves a reference. KindNotFound when it finds nobody.
func (s *Service) Subject(ctx context.Context, ref SubjectRef) (privacy.SubjectID, error) {
	ids, err := s.resolve(ctx, []SubjectRef{ref})
	if err != nil {
		return privacy.SubjectID{}, err
	}
	if ids[0].IsZero() {
		return ids[0], errNoSubject
	}
	return ids[0], nil
}

var errNoSubject = privacy.NotFound("subject_not_found", "there is no such subject")
