package custody_test

import (
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// An explanation gives what a disclosure would decide, opens no value, and says on record who asked.
func TestExplainOpensNoValue(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	v.exec(`UPDATE attribute_value SET sealed = '\x00' WHERE subject_id = $1`, [16]byte(id)) // none would open
	question := custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: []privacy.AttributeName{"email", "income", "religion"}, Subject: &custody.SubjectRef{ID: id}}
	explained, err := v.Explain(t.Context(), steward, question)
	if err != nil {
		t.Fatal(err)
	}
	if explained.Outcome.Permitted["email"] != privacy.ModePlain || explained.Outcome.Permitted["income"] != privacy.ModeGeneralise || explained.Outcome.Withheld["religion"] == "" {
		t.Errorf("got %+v", explained.Outcome)
	}
	entry := v.newest(id, 1)[0]
	if entry.Action != audit.ActionDecisionExplain || entry.Client != steward.Client || entry.RequestID != steward.Request || entry.Purpose != marketing {
		t.Errorf("on record: %+v", entry)
	}
	again, err := v.Explain(t.Context(), steward, custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: question.Attributes, State: &explained.Input.Subject})
	if err != nil || again.Outcome.Withheld["religion"] != explained.Outcome.Withheld["religion"] || len(again.Outcome.Permitted) != 2 {
		t.Errorf("of the state alone: %+v, %v", again, err)
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'decision.explain'`); n != 1 {
		t.Errorf("%d questions about people are on record", n)
	}
}

func TestExplainRecordsWhoAskedAboutNobody(t *testing.T) {
	t.Parallel()
	v := setup(t)
	question := custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: []privacy.AttributeName{"email"},
		Subject: &custody.SubjectRef{Identifier: v.profile([]string{"nobody@example.com"}, nil).Identifiers[0]}}
	_, err := v.Explain(t.Context(), steward, question)
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'decision.explain' AND subject_id IS NULL`); n != 1 {
		t.Errorf("%d questions on record", n)
	}
	question.Subject = nil
	_, err = v.Explain(t.Context(), steward, question)
	wantCode(t, err, privacy.KindInvalid, "invalid_subject")
}

func TestLookupIsOnRecordWhoeverIsFound(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	for email, want := range map[string]privacy.SubjectID{"ada@example.com": id, "nobody@example.com": {}} {
		found, err := v.Lookup(t.Context(), steward, v.profile([]string{email}, nil).Identifiers[0])
		if found != want || (err != nil) != want.IsZero() {
			t.Errorf("found %s, %v", found, err)
		}
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'subject.lookup'`); n != 2 {
		t.Errorf("%d look-ups on record", n)
	}
}
