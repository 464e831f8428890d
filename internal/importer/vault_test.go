package importer

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// What is wrong with one consent turns its record away; what concerns all of them ends the import, or has it wait.
func TestConsentsThatAreTurnedAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		ends bool
	}{
		{privacy.Invalid("invalid_consent", ""), false},
		{privacy.NotFound("subject_not_found", ""), false},
		{privacy.Conflict("idempotency_key_reused", ""), false},
		{privacy.NewError(privacy.KindRateLimited, "too_many_confirmations", ""), false},
		{privacy.NewError(privacy.KindRateLimited, "rate_limited", ""), true},
		{privacy.Unavailable(nil, "database_timeout", ""), true},
		{privacy.Invalid("unknown_purpose", ""), true},
	} {
		var stored Stored
		if err := stored.consented(c.err); (err != nil) != c.ends || (stored.Err == nil) != c.ends || stored.Consents != 0 {
			t.Errorf("%s: ends with %v, turned away with %v", privacy.CodeOf(c.err), err, stored.Err)
		}
	}
}
