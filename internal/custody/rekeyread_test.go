package custody_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// rekeyed gives somebody who has agreed to marketing another key. seen has readers find a slot, as if they had read it before that.
func rekeyed(t *testing.T, v *vault) (id privacy.SubjectID, before, after privacy.KeySlot, seen func(privacy.KeySlot)) {
	t.Helper()
	id = v.put("ada@example.com", fields{"email": "ada@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-01-02"})
	v.decide(id, privacy.ActionGrant)
	slot := func() (slot privacy.KeySlot) {
		if err := v.owner.QueryRow(t.Context(), `SELECT key_slot FROM subject WHERE subject_id = $1`, [16]byte(id)).Scan(&slot); err != nil {
			t.Fatal(err)
		}
		return slot
	}
	before = slot()
	if err := v.Rekey(t.Context(), &store.RightsRequest{Subject: id, ID: privacy.RightsRequestID(id)}); err != nil {
		t.Fatal(err)
	}
	return id, before, slot(), func(slot privacy.KeySlot) {
		if _, err := v.owner.Exec(t.Context(), `UPDATE subject SET key_slot = $2 WHERE subject_id = $1`, [16]byte(id), int64(slot)); err != nil {
			t.Error(err)
		}
	}
}

// Whose key is changed between the reading and the opening is not taken for erased, nor what is theirs for tampered with.
func TestDisclosureBesideAChangeOfKeys(t *testing.T) {
	v := setup(t)
	id, before, after, seen := rekeyed(t, v)
	seen(before)
	var reads atomic.Int32
	v.clock.WhenRead(func() {
		if reads.Add(1) == 2 { // the second round begins
			seen(after)
		}
	})
	caller := custody.Caller{Caller: privacy.Caller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleConsumer}}}
	disclosed, err := v.Disclose(t.Context(), caller, custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"given_name"}, Subjects: []custody.SubjectRef{{ID: id}}})
	v.clock.WhenRead(nil)
	if err != nil || len(disclosed.Disclosures[0].Attributes) != 1 {
		t.Fatalf("disclosed %+v, %v", disclosed, err)
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'disclosure' AND decision_hash IS NULL`); n != 0 {
		t.Errorf("%d entries say that they are erased", n)
	}
}

// A message that is about to be sent just then is sent a little later.
func TestMessageBesideAChangeOfKeys(t *testing.T) {
	v, _, sms := confirmingVault(t)
	id := v.put("ada@example.com", fields{"phone": "+4915123456789"})
	v.put("bob@example.com", nil)
	v.consent(id, custody.Consent{Purpose: "marketing.sms", Action: privacy.ActionGrant, Confirm: "sms"})
	swap := `UPDATE subject SET key_slot = 1 - key_slot`
	v.exec(swap)
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 0 || v.count(`SELECT count(*) FROM message`) != 1 {
		t.Fatalf("%d sent, %v", sent, err)
	}
	v.exec(swap)
	v.clock.Advance(time.Hour)
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 1 || len(sms.got) != 1 {
		t.Errorf("%d sent, %v", sent, err)
	}
}

func TestOwnProfileBesideAChangeOfKeys(t *testing.T) {
	v := setup(t)
	id, before, after, seen := rekeyed(t, v)
	seen(before)
	v.clock.WhenRead(sync.OnceFunc(func() { seen(after) })) // between the reading of the subject and that of the rest
	profile, err := v.OwnProfile(t.Context(), custody.Caller{Caller: privacy.Caller{Client: "portal", Roles: []privacy.Role{privacy.RoleSubject}, Subject: id}})
	v.clock.WhenRead(nil)
	if err != nil || len(profile.Attributes) != 4 || len(profile.Identifiers) != 1 {
		t.Fatalf("the profile: %+v, %v", profile, err)
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'profile.read'`); n != 1 {
		t.Errorf("on record %d times", n)
	}
}
