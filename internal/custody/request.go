package custody

import (
	"context"
	"slices"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// MaxSubjects is how many subjects one disclosure may ask about.
const MaxSubjects = 1000

// Request asks for attributes of subjects for a purpose.
type Request struct {
	Purpose    privacy.PurposeName
	Attributes []privacy.AttributeName
	Subjects   []SubjectRef
	Object     string             // what it is part of, for the record; "" for nothing
	Revision   privacy.RevisionID // decided under this one or not at all: policy_changing; "" for the one in force
	Retried    bool               // it may be made for its object again and again: as long as the decision stays the same, it is on record once
}

// SubjectRef names a subject by id, or by an identifier when the id is zero.
type SubjectRef struct {
	ID         privacy.SubjectID
	Identifier ProfileIdentifier
}

// ErrUnknownPurpose refuses what names a purpose that the policy in force does not know.
var ErrUnknownPurpose = privacy.Invalid("unknown_purpose", "the policy in force has no such purpose")

var (
	errUnknownAttribute = privacy.Invalid("unknown_attribute", "an attribute is not in the catalogue")
	errDuplicateSubject = privacy.Invalid("duplicate_subject", "a subject is named twice")
	errSamePerson       = privacy.Invalid("duplicate_subject", "two references find the same subject")
)

// asked is the request's attributes, looked up.
type asked struct {
	attributes []*catalogue.Attribute  // sorted by name, distinct
	names      []privacy.AttributeName // the same
	stored     []privacy.AttributeID   // to be read: with those that others are generalised to
}

func (s *Service) askedAttributes(names []privacy.AttributeName) (asked, error) {
	if len(names) == 0 {
		return asked{}, privacy.Invalid("attributes_missing", "ask for at least one attribute")
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	a := asked{names: slices.Compact(sorted), attributes: make([]*catalogue.Attribute, 0, len(sorted)), stored: make([]privacy.AttributeID, 0, len(sorted))}
	for _, name := range a.names {
		attribute, ok := s.catalogue.Attribute(name)
		if !ok {
			return asked{}, errUnknownAttribute
		}
		a.attributes = append(a.attributes, attribute)
		a.stored = append(a.stored, attribute.ID)
		if from, ok := attribute.GeneraliseFrom(); ok {
			if source, ok := s.catalogue.Attribute(from); ok && !slices.Contains(a.stored, source.ID) {
				a.stored = append(a.stored, source.ID)
			}
		}
	}
	return a, nil
}

// resolve turns references into ids, zero for those that find nobody. The same subject twice is
// refused: the caller would be charged, and audited, twice for one answer. With errSamePerson the ids are given nevertheless.
func (s *Service) resolve(ctx context.Context, refs []SubjectRef) ([]privacy.SubjectID, error) {
	if len(refs) == 0 {
		return nil, privacy.Invalid("subjects_missing", "name at least one subject")
	}
	if len(refs) > MaxSubjects {
		return nil, privacy.Invalid("too_many_subjects", "name at most 1,000 subjects")
	}
	ids := make([]privacy.SubjectID, len(refs))
	keys := make(map[int]store.IdentifierKey)
	asked := make(map[store.IdentifierKey]bool)
	var lookup []store.IdentifierKey
	for i, ref := range refs {
		ids[i] = ref.ID
		if ref.ID.IsZero() {
			keys[i] = s.identifierKey(ref.Identifier)
			if asked[keys[i]] {
				return nil, errDuplicateSubject
			}
			asked[keys[i]] = true
			lookup = append(lookup, keys[i])
		}
	}
	if len(lookup) > 0 {
		found, err := s.store.FindSubjects(ctx, lookup)
		if err != nil {
			return nil, err
		}
		for i, key := range keys {
			ids[i] = found[key]
		}
	}
	if len(ids) == 1 {
		return ids, nil
	}
	seen := make(map[privacy.SubjectID]bool, len(ids))
	for _, id := range ids {
		if !id.IsZero() && seen[id] {
			return ids, errSamePerson
		}
		seen[id] = true
	}
	return ids, nil
}
