package custody

import (
	"context"
	"encoding/json"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
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
	return ask(ctx, newGroupAsker(s, caller, view, purpose, attributes), func(x *segment.Index, permission segment.Permission) (uint64, bool) {
		return x.Count(permission, canonical)
	})
}
