package rights

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// An erasure can be of some attributes alone: those that are named, those of a category, and those that serve no other purposes than the
// named. Which they are is settled when the request is taken up, and is its scope; whether backups must not keep them either is part of it.

// Part says what alone is to be erased.
type Part struct {
	Attributes []privacy.AttributeName `json:"attributes,omitempty"`
	Categories []string                `json:"categories,omitempty"`
	Purposes   []privacy.PurposeName   `json:"purposes,omitempty"`
	Backups    bool                    `json:"backups,omitempty"` // they must not keep it
}

const (
	partOf      = "attributes:"
	fromBackups = ";backups"
)

// scopeOf works out the scope of a partial erasure.
func (s *Service) scopeOf(ctx context.Context, part *Part) (string, error) {
	words := s.vault.Catalogue()
	chosen := make(map[privacy.AttributeName]bool)
	for _, name := range part.Attributes {
		if _, ok := words.Attribute(name); !ok {
			return "", privacy.Invalid("unknown_attribute", "an attribute is not in the catalogue")
		}
		chosen[name] = true
	}
	for _, category := range part.Categories {
		found := false
		for _, a := range words.Attributes() {
			if string(a.Category) == category {
				chosen[a.Name], found = true, true
			}
		}
		if !found {
			return "", privacy.Invalid("unknown_category", "no attribute is of such a category")
		}
	}
	if len(part.Purposes) > 0 {
		names, err := s.vault.AttributesOnlyFor(ctx, part.Purposes)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			chosen[name] = true
		}
	}
	if len(chosen) == 0 {
		return "", privacy.Invalid("nothing_to_erase", "no attribute is named, and none serves those purposes alone")
	}
	names := make([]string, 0, len(chosen))
	for name := range chosen {
		names = append(names, string(name))
	}
	slices.Sort(names)
	scope := partOf + strings.Join(names, ",")
	if part.Backups {
		scope += fromBackups
	}
	return scope, nil
}

// partIn reads the scope of a partial erasure; false when it is of everything.
func partIn(scope string) (attributes []privacy.AttributeName, backups, partial bool) {
	list, partial := strings.CutPrefix(scope, partOf)
	if !partial {
		return nil, false, false
	}
	list, backups = strings.CutSuffix(list, fromBackups)
	for name := range strings.SplitSeq(list, ",") {
		attributes = append(attributes, privacy.AttributeName(name))
	}
	return attributes, backups, true
}

// erasesAll reports whether a request is the erasure of everything.
func erasesAll(r *store.RightsRequest) bool {
	return r.Type == privacy.RequestErasure && r.Scope == everything
}

// erasesPart reports whether a request is the erasure of a part.
func erasesPart(r *store.RightsRequest) bool {
	return r.Type == privacy.RequestErasure && r.Scope != everything
}

// erasePart carries a partial erasure out. While a legal hold stands it waits; of somebody who was erased altogether nothing is left to do
// but to see to it that no key is.
func (s *Service) erasePart(ctx context.Context, r *store.RightsRequest) error {
	attributes, backups, _ := partIn(r.Scope)
	done, err := s.vault.EraseFields(ctx, r, attributes)
	gone := privacy.KindOf(err) == privacy.KindNotFound && err != nil
	if err != nil && !gone || !done && !gone {
		return err
	}
	s.reach("part_deleted")
	if backups {
		if err := s.vault.Rekey(ctx, r); err != nil && privacy.KindOf(err) != privacy.KindNotFound {
			return err
		}
		s.reach("part_rekeyed")
	}
	told, err := s.receivers(ctx, r.Subject, attributes)
	if err != nil {
		return err
	}
	event := orderOf(privacy.EventSubjectPartErased, r.Subject, r.ID, time.Time{})
	event.Detail.Attributes = attributes
	return s.doneOnceConfirmed(ctx, r, event, told)
}
