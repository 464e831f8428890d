package governance

import (
	"context"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// PolicyDiff is what differs between two policies, in words and in data.
type PolicyDiff struct {
	Sentences []string    `json:"sentences" doc:"The differences in words, who may see what first."`
	Changes   policy.Diff `json:"changes"`
}

// DiffRevisions tells what one revision has other than another.
func (s *Service) DiffRevisions(ctx context.Context, from, to privacy.RevisionID, language string) (PolicyDiff, error) {
	after, err := s.custody.StoredRevision(ctx, to)
	if err != nil {
		return PolicyDiff{}, err
	}
	return s.diff(ctx, from, after, language)
}

// DiffDraft tells what a draft changes: of a revision, or of the one it is based on when none is named.
func (s *Service) DiffDraft(ctx context.Context, id DraftID, from privacy.RevisionID, language string) (PolicyDiff, error) {
	row, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return PolicyDiff{}, err
	}
	if from == "" {
		from = row.Base
	}
	after, err := custody.RevisionOf(row.Revision, row.Content)
	if err != nil {
		return PolicyDiff{}, err
	}
	return s.diff(ctx, from, after, language)
}

func (s *Service) diff(ctx context.Context, from privacy.RevisionID, after policy.Revision, language string) (PolicyDiff, error) {
	before, err := s.custody.StoredRevision(ctx, from)
	if err != nil {
		return PolicyDiff{}, err
	}
	changes := policy.Compare(before, after)
	return PolicyDiff{Sentences: append([]string{}, changes.Sentences(language)...), Changes: changes}, nil
}
