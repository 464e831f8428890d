package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// deleteFields deletes attributes of a locked subject, and what was made from them: the copy in the policy state, the facets, which
// segments follow, and the files that the subject could fetch. A deleted field keeps its row without the value, with the time of its
// collection unless another is given, so that no older copy comes in again. Of attributes that have left the catalogue no state or facet
// was made, and they are not named among those that are gone.
func (s *Service) deleteFields(ctx context.Context, tx *store.Tx, key *keyring.Subject, row store.Subject, attributes []privacy.AttributeID, source string, collected, at time.Time) ([]privacy.AttributeName, error) {
	stored, err := tx.StoredValues(ctx, row.ID, attributes)
	if err != nil {
		return nil, err
	}
	var fields []ProfileValue
	var values []store.Value
	for _, number := range attributes {
		attribute, known := s.catalogue.ByID(number)
		have, there := stored[number]
		if !there {
			continue
		}
		deleted := store.Value{Attribute: number, Version: have.Version + 1, Source: source, CollectedAt: have.CollectedAt}
		if !collected.IsZero() {
			deleted.CollectedAt = collected
		}
		if values = append(values, deleted); known {
			fields = append(fields, ProfileValue{Attribute: attribute, Delete: true})
		}
	}
	if len(values) > 0 {
		if err := tx.PutValues(ctx, row.ID, values, at); err != nil {
			return nil, err
		}
		if err := tx.DropExports(ctx, row.ID); err != nil {
			return nil, err
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	if _, err := s.writeState(ctx, tx, key, row, fields, &Profile{}, at); err != nil {
		return nil, err
	}
	return attributeNames(fields), s.writeFacets(ctx, tx, key, row.ID, fields, &Profile{}, at)
}
