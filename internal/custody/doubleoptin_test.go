package custody_test

import (
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// doubleOptIn has a purpose want its grants confirmed by email.
func (v *vault) doubleOptIn(purpose string) {
	v.t.Helper()
	v.publish(func(data map[string]any) {
		data["purposes"].(map[string]any)[purpose].(map[string]any)["double_opt_in"] = "email"
	})
}

// A TC string is no confirmation at the person's address: a grant by one does not count where that is wanted, a refusal does.
func TestSignalDoesNotPassByDoubleOptIn(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	v.doubleOptIn("ads.personalised")
	id := v.put("ada@example.com", fields{"country": "DE"})
	day := v.clock.Read().Truncate(24 * time.Hour)
	if got := v.send(id, custody.Signals{TCF: tcString(day, yes...)}); !slices.Equal(got, []string{"grant ads.personalised needs_confirmation", "grant analytics.profiling applied"}) {
		t.Errorf("a grant: %v", got)
	}
	stands, err := v.Stands(t.Context(), id)
	if err != nil || len(stands.Consents) != 1 || stands.Consents[0].Purpose != "analytics.profiling" {
		t.Errorf("%+v, %v", stands, err)
	}
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 0 || len(email.got) != 0 {
		t.Errorf("%d messages, %v", sent, err)
	}
	if got := v.send(id, custody.Signals{TCF: tcString(day)}); !slices.Contains(got, "deny ads.personalised applied") {
		t.Errorf("a refusal: %v", got)
	}
	v.wantFaults(v.verify())
}

// Nobody is written to because of an import: what was confirmed elsewhere counts, with the evidence of it, and the rest waits.
func TestImportWritesToNobody(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	v.doubleOptIn("marketing.email")
	at := v.clock.Read().Add(-time.Hour)
	line := func(n int, change func(*custody.Consent)) custody.ImportedConsent {
		id := v.put(string(rune('a'+n))+"@example.com", fields{"given_name": "Ada", "country": "DE"})
		imported := custody.ImportedConsent{Line: n, Subject: custody.SubjectRef{ID: id}, Consent: custody.Consent{Purpose: marketing, Action: privacy.ActionGrant, OccurredAt: at}}
		change(&imported.Consent)
		return imported
	}
	evidence := privacy.NewCleartext(`{"link":"followed"}`)
	lines := []custody.ImportedConsent{
		line(1, func(c *custody.Consent) { c.Method, c.Evidence = "double_opt_in", evidence }),
		line(2, func(c *custody.Consent) { c.Method = "double_opt_in" }),
		line(3, func(c *custody.Consent) { c.Method, c.Evidence = "checkbox", evidence }),
		line(4, func(*custody.Consent) {}),
		line(5, func(c *custody.Consent) { c.Confirm = "email" }),
		line(6, func(c *custody.Consent) { c.Action = privacy.ActionWithdraw }),
		line(7, func(c *custody.Consent) { c.Purpose = "sales.outreach" }),
	}
	if err := v.ImportConsents(t.Context(), steward, "file", lines); err != nil {
		t.Fatal(err)
	}
	wantCode(t, lines[4].Err, privacy.KindInvalid, "confirmation_in_import")
	for i, want := range []privacy.ConsentStatus{"granted", "pending", "pending", "pending", "", "withdrawn", "granted"} {
		if got := lines[i].Recorded.Status; got != want || i != 4 && lines[i].Err != nil {
			t.Errorf("line %d: %s, %v", lines[i].Line, got, lines[i].Err)
		}
	}
	if n := v.count(`SELECT count(*) FROM message`) + v.count(`SELECT count(*) FROM confirmation`); n != 0 || len(email.got) != 0 {
		t.Errorf("%d messages and links wait", n)
	}
	v.wantTold(lines[0].Subject.ID, told{"given_name": `"Ada"`})
	v.wantTold(lines[1].Subject.ID, told{"given_name": "!consent_pending"})
	// One who waits is asked as anybody is, when they are asked again.
	v.clock.Advance(time.Minute)
	if again := v.consent(lines[1].Subject.ID, custody.Consent{Action: privacy.ActionGrant}); again.Status != privacy.ConsentPending {
		t.Errorf("%+v", again)
	}
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 1 {
		t.Errorf("%d messages, %v", sent, err)
	}
	v.wantFaults(v.verify())
}
