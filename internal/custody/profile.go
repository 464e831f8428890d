package custody

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// ProfileDraft is one person as a source sent them, before anything is checked.
type ProfileDraft struct {
	Identifiers []IdentifierDraft
	Attributes  map[privacy.AttributeName]json.RawMessage // null deletes
	Regime      privacy.Regime
	Source      string
	CollectedAt time.Time
}

// IdentifierDraft is an identifier as it was sent.
type IdentifierDraft struct {
	Type     privacy.IdentifierType
	Value    string
	Verified bool
}

// maxIdentifiers bounds how many identifiers one profile may carry.
const maxIdentifiers = 20

// sourceForm keeps personal data out of sources, which are stored in clear.
var sourceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._:-]{0,63}$`)

// CheckSource reports whether a text may stand as the source of data.
func CheckSource(source string) error {
	if !sourceForm.MatchString(source) {
		return privacy.Invalid("invalid_source", "source is 1 to 64 of a-z, 0-9, dot, colon, dash and underscore, and names a system, not a person")
	}
	return nil
}

// Normalise checks a draft against the catalogue and brings its values into canonical form. What is
// wrong is told without repeating it.
func (s *Service) Normalise(draft ProfileDraft) (Profile, error) {
	profile := Profile{Regime: draft.Regime, Source: draft.Source, CollectedAt: draft.CollectedAt}
	if err := CheckSource(draft.Source); err != nil {
		return profile, err
	}
	if draft.Regime != "" && !slices.Contains(privacy.Regimes(), draft.Regime) {
		return profile, privacy.Invalid("unknown_regime", "the regime is not one the vault knows")
	}
	if draft.CollectedAt.After(s.now().Add(clockSkew)) {
		return profile, privacy.Invalid("collected_in_future", "collected_at lies in the future")
	}
	if len(draft.Identifiers) > maxIdentifiers {
		return profile, privacy.Invalid("too_many_identifiers", "a subject has at most 20 identifiers in one call")
	}
	region := s.region(draft.Attributes)
	var err error
	for _, d := range draft.Identifiers {
		identifier, err := s.NormaliseIdentifier(d, region)
		if err != nil {
			return profile, err
		}
		profile.Identifiers = append(profile.Identifiers, identifier)
	}
	profile.Attributes, err = s.NormaliseAttributes(draft.Attributes)
	return profile, err
}

// NormaliseIdentifier checks one identifier. Region is the ISO 3166-1 country that a phone number
// without a country code belongs to.
func (s *Service) NormaliseIdentifier(d IdentifierDraft, region string) (ProfileIdentifier, error) {
	kind, ok := s.catalogue.Identifier(d.Type)
	if !ok {
		return ProfileIdentifier{}, privacy.Invalid("unknown_identifier_type", "the catalogue has no such identifier type")
	}
	value, err := kind.Normalise(d.Value, region)
	return ProfileIdentifier{Type: kind, Value: value, Verified: d.Verified}, err
}

// NormaliseAttributes checks attributes by name; null stands for deletion.
func (s *Service) NormaliseAttributes(raw map[privacy.AttributeName]json.RawMessage) ([]ProfileValue, error) {
	region := s.region(raw)
	fields := make([]ProfileValue, 0, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		attribute, ok := s.catalogue.Attribute(name)
		if !ok {
			return nil, errUnknownAttribute
		}
		if string(raw[name]) == "null" {
			fields = append(fields, ProfileValue{Attribute: attribute, Delete: true})
			continue
		}
		value, err := attribute.Normalise(raw[name], region)
		if err != nil {
			return nil, err
		}
		fields = append(fields, ProfileValue{Attribute: attribute, Value: value})
	}
	return fields, nil
}

// region is the country of the same profile, "" when it does not say: phone numbers
// written without a country code are read as numbers of that country.
func (s *Service) region(raw map[privacy.AttributeName]json.RawMessage) string {
	facts := s.catalogue.Facts(func(name privacy.AttributeName) (privacy.Cleartext, bool) {
		attribute, ok := s.catalogue.Attribute(name)
		if !ok || raw[name] == nil || string(raw[name]) == "null" {
			return privacy.Cleartext{}, false
		}
		value, err := attribute.Normalise(raw[name], "")
		return value, err == nil
	})
	return facts.Country
}
