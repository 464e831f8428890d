package custody_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// act records an action on a purpose or a scope.
func (v *vault) act(id privacy.SubjectID, action privacy.ConsentAction, scope privacy.PurposeName, at time.Time) (custody.Recorded, error) {
	v.t.Helper()
	return v.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: scope, Action: action, OccurredAt: at}, custody.Once{})
}

func (v *vault) mustAct(id privacy.SubjectID, action privacy.ConsentAction, scope privacy.PurposeName, at time.Time) custody.Recorded {
	v.t.Helper()
	recorded, err := v.act(id, action, scope, at)
	if err != nil {
		v.t.Fatal(err)
	}
	return recorded
}

// Cases 3 and 4 of the regimes: an objection beats an older consent, a newer consent lifts it.
func TestObjectionCountsAtOnce(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"given_name": `"Ada"`})
	for _, scope := range []privacy.PurposeName{"marketing.email", "marketing.sms", "marketing.*", "*"} {
		if r := v.mustAct(id, privacy.ActionObject, scope, time.Time{}); !r.Objected {
			t.Errorf("%s: %+v", scope, r)
		}
		v.wantTold(id, told{"given_name": "!objected"})
		if r := v.decide(id, privacy.ActionGrant); r.Objected || r.Status != privacy.ConsentGranted {
			t.Errorf("a newer consent: %+v", r)
		}
		v.wantTold(id, told{"given_name": `"Ada"`})
	}
	v.mustAct(id, privacy.ActionObject, "sales.outreach", time.Time{})
	v.wantTold(id, told{"given_name": `"Ada"`})
}

func TestObjectionOfAnyDateBeatsWhatWasGivenBefore(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	early := v.clock.Read()
	v.clock.Advance(time.Hour)
	v.decide(id, privacy.ActionGrant)
	v.mustAct(id, privacy.ActionObject, "marketing.*", early)
	v.wantTold(id, told{"given_name": "!objected"})
	if r := v.mustAct(id, privacy.ActionLift, "marketing.*", early); !r.Objected {
		t.Errorf("lifted as of before: %+v", r)
	}
	v.wantTold(id, told{"given_name": "!objected"})
	if r := v.mustAct(id, privacy.ActionLift, "marketing.email", time.Time{}); !r.Objected || r.Status != privacy.ConsentGranted {
		t.Errorf("lifted for less than was objected to: %+v", r)
	}
	if r := v.mustAct(id, privacy.ActionLift, "*", time.Time{}); r.Objected || r.Status != "" {
		t.Errorf("lifted: %+v", r)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
}

func TestObjectionIsOnRecord(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.mustAct(id, privacy.ActionObject, "marketing.*", time.Time{})
	v.mustAct(id, privacy.ActionLift, "marketing.*", time.Time{})
	history, err := v.ConsentHistory(t.Context(), id, 0, 10)
	if err != nil || len(history) != 2 || history[0].Action != privacy.ActionLift || history[1].Action != privacy.ActionObject || history[1].Purpose != "marketing.*" {
		t.Errorf("%+v, %v", history, err)
	}
	entries := v.newest(id, 2)
	if entries[0].Action != audit.ActionConsentLift || entries[1].Action != audit.ActionConsentObject || entries[1].Purpose != "marketing.*" {
		t.Errorf("%+v", entries)
	}
	if states, err := v.Consents(t.Context(), id); err != nil || len(states) != 0 {
		t.Errorf("an objection is no state of consent: %+v, %v", states, err)
	}
}

func TestObjectionRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	for scope, code := range map[privacy.PurposeName]string{
		"": "invalid_scope", "marketing.email.*": "invalid_scope", "Ada": "invalid_scope", "**": "invalid_scope",
		"lottery.*": "unknown_purpose", "marketing.fax": "unknown_purpose",
	} {
		for _, action := range []privacy.ConsentAction{privacy.ActionObject, privacy.ActionLift} {
			_, err := v.act(id, action, scope, time.Time{})
			wantCode(t, err, privacy.KindInvalid, code)
		}
	}
	for _, scope := range []privacy.PurposeName{"marketing.*", "*"} {
		for _, action := range []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionDeny, privacy.ActionWithdraw} {
			_, err := v.act(id, action, scope, time.Time{})
			wantCode(t, err, privacy.KindInvalid, "unknown_purpose")
		}
	}
	if n := v.count(`SELECT count(*) FROM consent_record`); n != 0 {
		t.Errorf("%d records of what was refused", n)
	}
}

// Everybody can ask for a signal to be read where it stands: it lies in the subject's row.
func TestSignalsReachTheDecision(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "US"})
	explain := func() privacy.SubjectState {
		t.Helper()
		e, err := v.Explain(t.Context(), steward, custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: []privacy.AttributeName{"given_name"}, Subject: &custody.SubjectRef{ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		return e.Input.Subject
	}
	if s := explain(); s.Objected || s.OptOutSignal || s.LimitSensitive {
		t.Errorf("of somebody who said nothing: %+v", s)
	}
	v.exec(`UPDATE subject SET standing = '{"opt_out_signal":"2026-03-01T13:00:00Z","limit_sensitive":"2026-03-01T13:00:00Z"}'`)
	if s := explain(); s.Objected || !s.OptOutSignal || !s.LimitSensitive {
		t.Errorf("signals: %+v", s)
	}
	v.clock.Advance(2 * time.Hour)
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Explicit: true})
	if s := explain(); s.OptOutSignal || s.LimitSensitive {
		t.Errorf("after a two-step opt-in: %+v", s)
	}
}
