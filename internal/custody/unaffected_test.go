package custody_test

import (
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// A refusal is recorded whatever the purpose rests on, and says what it does not stop.
func TestRefusalsSayWhatTheyDoNotStop(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	for _, c := range []struct {
		action  privacy.ConsentAction
		purpose privacy.PurposeName
		want    []string
	}{
		{privacy.ActionWithdraw, "service.support", []string{"contract"}},
		{privacy.ActionDeny, "service.support", []string{"contract"}},
		{privacy.ActionObject, "service.support", []string{"contract"}},
		{privacy.ActionObject, "*", []string{"contract"}},
		{privacy.ActionObject, "marketing.*", nil},
		{privacy.ActionWithdraw, marketing, nil}, // notice, in California, yields to a refusal
		{privacy.ActionLift, "service.support", nil},
		{privacy.ActionGrant, "service.support", nil},
	} {
		recorded, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: c.purpose, Action: c.action}, custody.Once{})
		if err != nil || !slices.Equal(recorded.Unaffected, c.want) || recorded.Receipt == "" {
			t.Errorf("%s %s: %v, %v, want %v", c.action, c.purpose, recorded.Unaffected, err, c.want)
		}
	}
}
