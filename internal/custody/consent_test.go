package custody_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

func TestConsentExpiresWhenItIsRead(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	ends := v.clock.Read().Add(time.Hour)
	if r := v.consent(id, custody.Consent{Action: privacy.ActionGrant, ExpiresAt: ends}); r.Status != privacy.ConsentGranted {
		t.Errorf("granted until later: %s", r.Status)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
	v.clock.Advance(time.Hour)
	v.wantTold(id, told{"given_name": "!consent_expired"})
	states, err := v.Consents(t.Context(), id)
	if err != nil || len(states) != 1 || states[0].Status != privacy.ConsentExpired || !states[0].ExpiresAt.Equal(ends) {
		t.Errorf("got %+v, %v", states, err)
	}
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"given_name": `"Ada"`})
}

// What a call answers is where it has left the subject, also when its record changed nothing.
func TestConsentAnswersWithWhatStands(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	early := v.clock.Read()
	v.clock.Advance(24 * time.Hour)
	v.decide(id, privacy.ActionGrant)
	backdated := custody.Consent{Action: privacy.ActionGrant, OccurredAt: early, ExpiresAt: early.Add(time.Hour)}
	if r := v.consent(id, backdated); r.Status != privacy.ConsentGranted {
		t.Errorf("an expired grant from before a lasting one: %s", r.Status)
	}
	v.decide(id, privacy.ActionWithdraw)
	if r := v.consent(id, custody.Consent{Action: privacy.ActionGrant, OccurredAt: early}); r.Status != privacy.ConsentWithdrawn {
		t.Errorf("a backdated grant after a withdrawal: %s", r.Status)
	}
	v.wantTold(id, told{"given_name": "!consent_withdrawn"})
	if r := v.consent(id, custody.Consent{Action: privacy.ActionWithdraw, OccurredAt: early}); r.Status != privacy.ConsentWithdrawn {
		t.Errorf("a backdated withdrawal: %s", r.Status)
	}
	history, err := v.ConsentHistory(t.Context(), id, 0, 10)
	if err != nil || len(history) != 5 {
		t.Fatalf("the ledger has %d records, %v", len(history), err)
	}
	for i, record := range history {
		if int(record.Seq) != 5-i || record.RecordedBy != steward.Client {
			t.Errorf("record %d: %+v", i, record)
		}
	}
}

func TestConsentRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id, now := v.put("ada@example.com", nil), v.clock.Read()
	for code, c := range map[string]custody.Consent{
		"unknown_purpose":   {Purpose: "no.such", Action: privacy.ActionGrant},
		"unknown_action":    {Purpose: marketing, Action: "maybe"},
		"unknown_giver":     {Purpose: marketing, Action: privacy.ActionGrant, By: "neighbour"},
		"consent_too_early": {Purpose: marketing, Action: privacy.ActionGrant, OccurredAt: time.Unix(-1, 0)},
		"consent_in_future": {Purpose: marketing, Action: privacy.ActionGrant, OccurredAt: now.Add(time.Hour)},
		"invalid_expiry":    {Purpose: marketing, Action: privacy.ActionWithdraw, ExpiresAt: now.Add(time.Hour)},
	} {
		_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, c, custody.Once{})
		wantCode(t, err, privacy.KindInvalid, code)
	}
	nobody := privacy.SubjectID{1}
	_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: nobody}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
	_, err = v.Consents(t.Context(), nobody)
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
	_, err = v.ConsentHistory(t.Context(), nobody, 0, 10)
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
	if n := v.count(`SELECT count(*) FROM consent_record`) + v.count(`SELECT count(*) FROM audit_entry WHERE action LIKE 'consent.%'`); n != 0 {
		t.Errorf("%d rows of refused consents", n)
	}
}
