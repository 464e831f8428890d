package custody_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// bring imports one consent as the given line, and gives what became of it.
func (v *vault) bring(key string, line int, who custody.SubjectRef, action privacy.ConsentAction) custody.ImportedConsent {
	v.t.Helper()
	lines := []custody.ImportedConsent{{Line: line, Subject: who, Consent: custody.Consent{Purpose: marketing, Action: action}}}
	if err := v.ImportConsents(v.t.Context(), steward, key, lines); err != nil {
		v.t.Fatal(err)
	}
	if lines[0].Err != nil {
		v.t.Fatal(lines[0].Err)
	}
	return lines[0]
}

func (v *vault) byEmail(email string) custody.SubjectRef {
	return custody.SubjectRef{Identifier: v.profile([]string{email}, nil).Identifiers[0]}
}

// A line that is sent again is recorded once; one that says something else, or the same of somebody else, is another one.
func TestImportedConsentIsNamedByWhatItSays(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ada, bob := v.put("a@example.com", fields{"country": "DE"}), v.put("b@example.com", fields{"country": "DE"})
	granted := v.bring("daily", 1, custody.SubjectRef{ID: ada}, privacy.ActionGrant)
	again := v.bring("daily", 1, v.byEmail("a@example.com"), privacy.ActionGrant)
	if again.Recorded.ID != granted.Recorded.ID || v.count(`SELECT count(*) FROM consent_record`) != 1 {
		t.Errorf("a line sent again became %s beside %s", again.Recorded.ID, granted.Recorded.ID)
	}
	corrected := v.bring("daily", 1, custody.SubjectRef{ID: ada}, privacy.ActionWithdraw)
	if corrected.Recorded.Status != privacy.ConsentWithdrawn || v.count(`SELECT count(*) FROM consent_state WHERE status = 'withdrawn'`) != 1 {
		t.Errorf("a corrected line answered %s", corrected.Recorded.Status)
	}
	other := v.bring("daily", 1, custody.SubjectRef{ID: bob}, privacy.ActionWithdraw)
	if other.Recorded.ID == corrected.Recorded.ID {
		t.Error("records of two people have one name")
	}
	if _, err := v.store.Relay(t.Context(), 100, time.Now(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if told := v.count(`SELECT count(*) FROM change_log WHERE kind = 'consent.withdrawn'`); told != 2 {
		t.Errorf("%d withdrawals are told of, want 2", told)
	}
}

// The lines of a person are recorded in their order, however they name the person.
func TestImportedConsentsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	v := setup(t)
	var lines []custody.ImportedConsent
	for i := range 40 {
		email := fmt.Sprintf("p%d@example.com", i)
		id := v.put(email, nil)
		lines = append(lines,
			custody.ImportedConsent{Line: 2 * i, Subject: v.byEmail(email), Consent: custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}},
			custody.ImportedConsent{Line: 2*i + 1, Subject: custody.SubjectRef{ID: id}, Consent: custody.Consent{Purpose: marketing, Action: privacy.ActionWithdraw}})
	}
	if err := v.ImportConsents(t.Context(), steward, "k", lines); err != nil {
		t.Fatal(err)
	}
	if granted := v.count(`SELECT count(*) FROM consent_state WHERE status = 'granted'`); granted != 0 {
		t.Errorf("%d of 40 stayed granted, whose withdrawal came after", granted)
	}
}

// Who is refused a consent for somebody they named by an identifier has learnt something of them: that is on record.
func TestRefusedConsentLeavesALookUp(t *testing.T) {
	t.Parallel()
	v := setup(t)
	child := v.put("kid@example.com", fields{"country": "DE", "birth_date": "2016-05-01"})
	_, err := v.TakeConsent(t.Context(), steward, v.byEmail("kid@example.com"), custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
	if privacy.CodeOf(err) != string(privacy.ReasonGuardianConsentRequired) {
		t.Fatal(err)
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'subject.lookup' AND subject_id = $1`, [16]byte(child)); n != 1 {
		t.Errorf("%d look-ups on record, want 1", n)
	}
	v.put("b@example.com", nil)
	if _, err := v.UpsertOne(t.Context(), steward, v.profile([]string{"kid@example.com", "b@example.com"}, nil), custody.Once{}); privacy.CodeOf(err) != "identifier_conflict" {
		t.Fatal(err)
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'subject.lookup'`); n != 3 {
		t.Errorf("%d look-ups on record, want 3: two more for the two whom one profile named", n)
	}
}
