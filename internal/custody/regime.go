package custody

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// The law that protects somebody follows from where they live. A source may state one, for those of whom that is not
// known or to put them under the strictest; it cannot take anybody out of the law of their country.

var errRegimeConflict = privacy.Invalid("regime_conflict", "the law follows from where the subject lives: leave regime out, or correct the country or province")

// auditedRegime stands among the attributes of an audit entry when a source stated the regime.
const auditedRegime privacy.AttributeName = "regime"

// underRevision notes with profiles that state a regime which revision says whether it may stand.
func (s *Service) underRevision(ctx context.Context, profiles []Profile) ([]Profile, error) {
	if !slices.ContainsFunc(profiles, func(p Profile) bool { return p.Regime != "" }) {
		return profiles, nil
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return nil, err
	}
	profiles = slices.Clone(profiles)
	for i := range profiles {
		profiles[i].revision = revision
	}
	return profiles, nil
}

// regimeStands refuses a stated regime that is not the law of where the subject would live after the write.
func (s *Service) regimeStands(profile *Profile, after state) error {
	if profile.Regime == "" {
		return nil
	}
	home := s.residence(after, time.Time{})
	if !s.policy.RegimeMayStand(profile.revision, home.country, home.region, profile.Regime) {
		return errRegimeConflict
	}
	return nil
}

// changedNames lists what a write changes, for its audit entry.
func changedNames(fields []ProfileValue, regime bool) []privacy.AttributeName {
	names := attributeNames(fields)
	if regime {
		names = append(names, auditedRegime)
		slices.Sort(names)
	}
	return names
}
