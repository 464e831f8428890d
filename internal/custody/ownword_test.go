package custody_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// Nobody is their own guardian, and what a signal said the vault reads itself.
func TestOwnWordIsOwn(t *testing.T) {
	t.Parallel()
	v := setup(t)
	child := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE", "birth_date": "2016-01-02"})
	self := custody.Caller{Caller: privacy.Caller{Client: "self-service", Roles: []privacy.Role{privacy.RoleSubject}, Subject: child}, Request: "q3"}
	take := func(caller custody.Caller, consent custody.Consent) (custody.Recorded, error) {
		consent.Purpose = marketing
		return v.TakeConsent(t.Context(), caller, custody.SubjectRef{ID: child}, consent, custody.Once{})
	}
	_, err := take(self, custody.Consent{Action: privacy.ActionGrant, By: privacy.ByGuardian})
	wantCode(t, err, privacy.KindInvalid, "not_own_guardian")
	_, err = take(self, custody.Consent{Action: privacy.ActionLift, By: privacy.ByGuardian})
	wantCode(t, err, privacy.KindInvalid, "not_own_guardian")
	_, err = take(self, custody.Consent{Action: privacy.ActionGrant})
	wantCode(t, err, privacy.KindInvalid, "guardian_consent_required")
	v.wantTold(child, told{"given_name": "!guardian_consent_required"})

	if _, err := take(steward, custody.Consent{Action: privacy.ActionGrant, By: privacy.ByGuardian}); err != nil {
		t.Fatal(err)
	}
	v.wantTold(child, told{"given_name": `"Ada"`})
	v.clock.Advance(time.Minute)
	if _, err := take(self, custody.Consent{Action: privacy.ActionWithdraw, By: privacy.ByGuardian, Method: "tcf"}); err != nil {
		t.Errorf("a withdrawal is lost: %v", err)
	}
	v.wantTold(child, told{"given_name": "!guardian_consent_required"})
	history, err := v.ConsentHistory(t.Context(), child, 0, 1)
	if err != nil || len(history) != 1 || history[0].By != privacy.BySelf {
		t.Errorf("the withdrawal is recorded as %+v, %v", history, err)
	}

	v.patch(child, fields{"birth_date": "1990-01-02"})
	_, err = take(self, custody.Consent{Action: privacy.ActionGrant, Method: "tcf"})
	wantCode(t, err, privacy.KindInvalid, "not_a_signal")
}

// People who use one application may choose the same key.
func TestIdempotencyKeysAreAPersonsOwn(t *testing.T) {
	t.Parallel()
	v := setup(t)
	take := func(id privacy.SubjectID) custody.Recorded {
		t.Helper()
		self := custody.Caller{Caller: privacy.Caller{Client: "self-service", Roles: []privacy.Role{privacy.RoleSubject}, Subject: id}, Request: "q3"}
		once := custody.Once{Client: self.Client, Subject: id, Key: "1", Operation: "consents-record", Request: []byte("{}")}
		recorded, err := v.TakeConsent(t.Context(), self, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionWithdraw}, once)
		if err != nil {
			t.Fatal(err)
		}
		return recorded
	}
	ada, bob := v.put("ada@example.com", nil), v.put("bob@example.com", nil)
	if first, second := take(ada), take(bob); first.Subject != ada || second.Subject != bob || first.ID != take(ada).ID {
		t.Errorf("got %+v and %+v", first, second)
	}
}
