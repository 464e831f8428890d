package custody_test

import (
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// Nobody is taken out of the law of their country by what a source states.
func TestRegimeFollowsFromTheCountry(t *testing.T) {
	t.Parallel()
	v := setup(t)
	stated := func(email string, attributes fields, regime privacy.Regime) custody.Upserted {
		profile := v.profile([]string{email}, attributes)
		profile.Regime = regime
		stored, err := v.Upsert(t.Context(), steward, []custody.Profile{profile})
		if err != nil {
			t.Fatal(err)
		}
		return stored[0]
	}
	conflict := func(stored custody.Upserted) {
		t.Helper()
		wantCode(t, stored.Err, privacy.KindInvalid, "regime_conflict")
	}
	german := fields{"given_name": "Ada", "country": "DE", "birth_date": "2016-01-02"}
	conflict(stated("ada@example.com", german, privacy.RegimeCCPA))
	if n := v.count(`SELECT count(*) FROM subject`); n != 0 {
		t.Fatalf("%d subjects of a refused profile", n)
	}
	ada := stated("ada@example.com", german, privacy.RegimeGDPR).ID
	if got := v.newest(ada, 1)[0].Attributes; !slices.Contains(got, auditedRegime) {
		t.Errorf("the creation is audited with %v", got)
	}
	conflict(stated("ada@example.com", nil, privacy.RegimeCCPA))
	v.wantTold(ada, told{"given_name": "!guardian_consent_required"})
	if stored := stated("ada@example.com", nil, privacy.RegimeDefault); stored.Err != nil {
		t.Errorf("the strictest is refused: %v", stored.Err)
	}
	if got := v.newest(ada, 2); !slices.ContainsFunc(got, func(e audit.Entry) bool { return slices.Contains(e.Attributes, auditedRegime) }) {
		t.Errorf("the update is audited with %v", got)
	}

	// Stated while nobody knew the country: it yields once somebody does.
	bob := stated("bob@example.com", fields{"given_name": "Bob", "birth_date": "1980-01-02"}, privacy.RegimeCCPA).ID
	v.wantTold(bob, told{"given_name": `"Bob"`})
	v.patch(bob, fields{"country": "DE"})
	v.wantTold(bob, told{"given_name": "!consent_missing"})
	if got := v.newest(bob, 3); slices.ContainsFunc(got[:2], func(e audit.Entry) bool { return slices.Contains(e.Attributes, auditedRegime) }) {
		t.Errorf("an update that states no regime is audited with %v", got)
	}
}

const auditedRegime privacy.AttributeName = "regime"
