package custody_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// An older export does not put a person under another law than the one set since.
func TestUpsertOfAnOldExportLeavesTheRegime(t *testing.T) {
	t.Parallel()
	v := setup(t)
	current := v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada", "country": "DE", "birth_date": "1990-01-02"})
	current.Regime = privacy.RegimeGDPR
	id := v.upsert(current).ID
	old := v.profile([]string{"ada@example.com"}, nil)
	old.Regime, old.CollectedAt = privacy.RegimeCCPA, v.clock.Read().Add(-24*time.Hour)
	v.upsert(old)
	question := custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: []privacy.AttributeName{"given_name"}, Subject: &custody.SubjectRef{ID: id}}
	explained, err := v.Explain(t.Context(), steward, question)
	if err != nil || explained.Input.Subject.Regime != privacy.RegimeGDPR {
		t.Errorf("the regime is %s, %v", explained.Input.Subject.Regime, err)
	}
}

// That an identifier is verified is not lost when its subject is known already.
func TestUpsertVerifiesKnownIdentifiers(t *testing.T) {
	t.Parallel()
	v := setup(t)
	profile := v.profile([]string{"ada@example.com"}, nil)
	v.upsert(profile)
	if n := v.count(`SELECT count(*) FROM subject_identifier WHERE verified`); n != 0 {
		t.Fatalf("%d verified before", n)
	}
	profile.Identifiers[0].Verified = true
	v.upsert(profile)
	profile.Identifiers[0].Verified = false
	v.upsert(profile)
	if n := v.count(`SELECT count(*) FROM subject_identifier WHERE verified`); n != 1 {
		t.Errorf("%d verified after", n)
	}
}

// A consent can be withdrawn though the policy no longer knows its purpose; nothing else can be said about it.
func TestWithdrawalOfAPurposeThePolicyHasDropped(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada"})
	v.decide(id, privacy.ActionGrant)
	v.exec(`UPDATE consent_state SET purpose = 'marketing.fax'`)
	about := func(action privacy.ConsentAction) custody.Consent {
		return custody.Consent{Purpose: "marketing.fax", Action: action}
	}
	_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, about(privacy.ActionGrant), custody.Once{})
	wantCode(t, err, privacy.KindInvalid, "unknown_purpose")
	recorded, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, about(privacy.ActionWithdraw), custody.Once{})
	if err != nil || recorded.Status != privacy.ConsentWithdrawn {
		t.Errorf("got %+v, %v", recorded, err)
	}
	other := v.put("bob@example.com", nil)
	_, err = v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: other}, about(privacy.ActionWithdraw), custody.Once{})
	wantCode(t, err, privacy.KindInvalid, "unknown_purpose")
}

// Keys that callers make up may hold anything, so they are not kept as they are.
func TestIdempotencyKeysAreNotKeptInClear(t *testing.T) {
	t.Parallel()
	v := setup(t)
	_, err := v.UpsertOne(t.Context(), steward, v.profile([]string{"ada@example.com"}, nil), custody.Once{Client: "crm", Key: "ada@example.com", Request: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if n := v.count(`SELECT count(*) FROM idempotency WHERE key NOT LIKE '%ada%'`); n != 1 {
		t.Error("the key is kept in clear")
	}
}
