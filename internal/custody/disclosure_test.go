package custody_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

var ada = fields{"email": "ada@example.com", "given_name": "Ada", "phone": "+49 30 1234567", "country": "DE", "province": "Berlin", "city": "Berlin Mitte",
	"income": 58138, "birth_date": "1990-12-10", "device_id": "dev-42", "government_id": "X1234567", "religion": "none"}

func TestDiscloseEveryMode(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{
		"email": `"ada@example.com"`, "given_name": `"Ada"`, "province": `"Berlin"`, // plain
		"income": `"40000-59999"`, "birth_date": `"35-44"`, // generalised to bands
		"city":          `"Berlin"`, // to the province
		"government_id": "!sensitive_needs_explicit_consent", "company": "!no_value",
	})
	masked := v.tell(id, "phone")["phone"]
	if strings.HasPrefix(masked, "!") || strings.Contains(masked, "123456") {
		t.Errorf("a masked phone number: %s", masked)
	}
	token := v.tell(id, "device_id")["device_id"]
	if strings.Contains(token, "dev-42") || len(token) < 20 {
		t.Errorf("a token: %s", token)
	}
	other := v.put("bob@example.com", fields{"device_id": "dev-42", "country": "DE"})
	v.decide(other, privacy.ActionGrant)
	if v.another().tell(other, "device_id")["device_id"] != token {
		t.Error("one value has two tokens for one client and purpose")
	}
}

func TestDiscloseGeneralisesACityByItsProvinceAlone(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"city": "Potsdam", "country": "DE"})
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"city": "!no_value", "country": `"DE"`})
	v.patch(id, fields{"province": "Brandenburg"})
	v.wantTold(id, told{"city": `"Brandenburg"`})
}

func TestDiscloseNothingPastItsRetention(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE", "visits_month": 3})
	v.decide(id, privacy.ActionGrant)
	if said := v.tell(id, "visits_month")["visits_month"]; strings.HasPrefix(said, "!") {
		t.Fatal(said)
	}
	v.clock.Advance(400 * 24 * time.Hour) // kept for 13 months, the name for three years
	v.wantTold(id, told{"visits_month": "!no_value", "given_name": `"Ada"`})
}

func TestDiscloseByIdentifier(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	ref := func(email string) custody.SubjectRef {
		return custody.SubjectRef{Identifier: v.profile([]string{email}, nil).Identifiers[0]}
	}
	disclosed, err := v.Disclose(t.Context(), consumer, custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"email"},
		Subjects: []custody.SubjectRef{ref("nobody@example.com"), ref("ADA@example.com")}})
	if err != nil {
		t.Fatal(err)
	}
	if d := disclosed.Disclosures[0]; !d.Subject.IsZero() || len(d.Attributes) != 0 || d.Withheld[0].Reason != privacy.ReasonUnknownSubject {
		t.Errorf("nobody: %+v", d)
	}
	if d := disclosed.Disclosures[1]; d.Subject != id || string(d.Attributes[0].JSON) != `"ada@example.com"` {
		t.Errorf("somebody: %+v", d)
	}
	_, err = v.Disclose(t.Context(), consumer, custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"email"}, Subjects: []custody.SubjectRef{ref("ada@example.com"), {ID: id}}})
	wantCode(t, err, privacy.KindInvalid, "duplicate_subject")
}

func TestDiscloseAmongTheErasedAndTheUnknown(t *testing.T) {
	t.Parallel()
	v := setup(t)
	attributes := []privacy.AttributeName{"email", "city"}
	var ids []privacy.SubjectID
	for n := range 5 {
		ids = append(ids, v.put(fmt.Sprintf("p%d@example.com", n), fields{"email": fmt.Sprintf("p%d@example.com", n), "city": "Potsdam", "province": "Brandenburg", "country": "DE"}))
		v.decide(ids[n], privacy.ActionGrant)
	}
	slot := v.count(`SELECT key_slot FROM subject WHERE subject_id = $1`, [16]byte(ids[2]))
	if err := v.keys.Puncture(t.Context(), privacy.KeySlot(slot)); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, privacy.SubjectID{9})
	answers, err := v.ask(attributes, ids...)
	if err != nil {
		t.Fatal(err)
	}
	for n, answer := range answers {
		want := told{"email": fmt.Sprintf(`"p%d@example.com"`, n), "city": `"Brandenburg"`}
		switch n {
		case 2:
			want = told{"email": "!erased", "city": "!erased"}
		case 5:
			want = told{"email": "!unknown_subject", "city": "!unknown_subject"}
		}
		for name := range want {
			if answer[name] != want[name] {
				t.Errorf("subject %d, %s: %s, want %s", n, name, answer[name], want[name])
			}
		}
	}
	if n := v.count(`SELECT count(*) FROM audit_trail WHERE action = 'disclosure'`); n != len(ids) {
		t.Errorf("%d entries for %d subjects", n, len(ids))
	}
	_, err = v.UpdateAttributes(t.Context(), steward, ids[2], nil, "test", custody.Once{})
	wantCode(t, err, privacy.KindNotFound, "key_erased")
}

// A batch of the largest size costs as many evaluations as there are policy states in it.
func TestDiscloseAThousandForAFewEvaluations(t *testing.T) {
	t.Parallel()
	v := setup(t).another()
	countries := []string{"DE", "CN", "US", "BR", "JP"}
	profiles := make([]custody.Profile, custody.MaxSubjects)
	for n := range profiles {
		profiles[n] = v.profile([]string{fmt.Sprintf("p%d@example.com", n)}, fields{"given_name": "Ada", "country": countries[n%5], "birth_date": fmt.Sprintf("19%02d-01-02", 50+n%50)})
	}
	stored, err := v.Upsert(t.Context(), steward, profiles)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]privacy.SubjectID, len(stored))
	for n := range stored {
		ids[n] = stored[n].ID
	}
	for n := range 100 {
		v.decide(ids[n*10], []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionDeny}[n%2])
	}
	before := v.engine.Evaluations()
	answers, err := v.ask([]privacy.AttributeName{"given_name"}, ids...)
	if err != nil {
		t.Fatal(err)
	}
	if n := v.engine.Evaluations() - before; n == 0 || n > 50 {
		t.Errorf("%d evaluations", n)
	}
	released := 0
	for _, answer := range answers {
		if answer["given_name"] == `"Ada"` {
			released++
		}
	}
	if released < 10 || released > 500 {
		t.Errorf("%d of 1,000 were released", released)
	}
	if n := v.count(`SELECT count(DISTINCT subject_id) FROM audit_trail WHERE action = 'disclosure'`); n != len(ids) {
		t.Errorf("an answer about %d people has %d of them on record", len(ids), n)
	}
	_, err = v.ask([]privacy.AttributeName{"given_name"}, append(ids, privacy.SubjectID{1})...)
	wantCode(t, err, privacy.KindInvalid, "too_many_subjects")
}

func TestDiscloseUsesARevisionPublishedElsewhereAtOnce(t *testing.T) {
	t.Parallel()
	one := setup(t)
	two := one.another()
	id := one.put("ada@example.com", ada)
	one.decide(id, privacy.ActionGrant)
	two.wantTold(id, told{"email": `"ada@example.com"`, "given_name": `"Ada"`})
	published := one.publish(func(data map[string]any) {
		matrix := data["matrix"].(map[string]any)
		matrix["email"].(map[string]any)[string(marketing)] = "mask"
		delete(matrix["given_name"].(map[string]any), string(marketing))
	})
	said := two.tell(id, "email", "given_name")
	if said["email"] == `"ada@example.com"` || said["given_name"] != "!not_permitted_for_purpose" {
		t.Errorf("under the old policy: %v", said)
	}
	// A node that starts does not put the built-in policy back.
	three := one.another()
	inForce, err := three.PublishDefault(t.Context())
	if err != nil || inForce != published {
		t.Errorf("after a start %s is in force, %v", inForce, err)
	}
	if got := three.tell(id, "given_name")["given_name"]; got != "!not_permitted_for_purpose" {
		t.Errorf("after a start: %s", got)
	}
}

// publish changes the data of the built-in policy and puts the result in force, as an officer would.
func (v *vault) publish(change func(data map[string]any)) privacy.RevisionID {
	v.t.Helper()
	return v.publishRevision(func(r *policy.Revision) { change(r.Data) })
}

func (v *vault) publishRevision(change func(*policy.Revision)) privacy.RevisionID {
	v.t.Helper()
	words, err := catalogue.Load()
	if err != nil {
		v.t.Fatal(err)
	}
	revision, err := policy.Default(words.PolicyData())
	if err != nil {
		v.t.Fatal(err)
	}
	change(&revision)
	if revision, err = policy.NewRevision(revision.Modules, revision.Data); err != nil {
		v.t.Fatal(err)
	}
	content, err := revision.Content()
	if err != nil {
		v.t.Fatal(err)
	}
	err = v.store.Write(v.t.Context(), func(tx *store.Tx) error {
		_, err := tx.PublishRevision(v.t.Context(), revision.ID, content, "officer", v.clock.Read())
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return revision.ID
}

func TestDiscloseNothingOfATamperedDatabase(t *testing.T) {
	t.Parallel()
	const mine, hers = `(SELECT subject_id FROM subject ORDER BY key_slot LIMIT 1)`, `(SELECT subject_id FROM subject ORDER BY key_slot DESC LIMIT 1)`
	for name, c := range map[string]struct{ statement, code string }{
		"a flipped bit":           {`UPDATE attribute_value SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE attribute_id = 2 AND subject_id = ` + mine, "sealed_value_not_authentic"},
		"a cut value":             {`UPDATE attribute_value SET sealed = substr(sealed, 1, 20) WHERE attribute_id = 2 AND subject_id = ` + mine, "sealed_value_not_authentic"},
		"another's value":         {`UPDATE attribute_value a SET sealed = b.sealed FROM attribute_value b WHERE a.attribute_id = 2 AND b.attribute_id = 2 AND a.subject_id = ` + mine + ` AND b.subject_id = ` + hers, "sealed_value_not_authentic"},
		"another attribute":       {`UPDATE attribute_value a SET sealed = b.sealed FROM attribute_value b WHERE a.attribute_id = 2 AND b.attribute_id = 1 AND a.subject_id = b.subject_id AND a.subject_id = ` + mine, "sealed_value_not_authentic"},
		"another version":         {`UPDATE attribute_value SET version = 2 WHERE attribute_id = 2 AND subject_id = ` + mine, "sealed_value_not_authentic"},
		"another's state":         {`UPDATE subject a SET state = b.state FROM subject b WHERE a.subject_id = ` + mine + ` AND b.subject_id = ` + hers, "sealed_value_not_authentic"},
		"another's slot":          {`UPDATE subject a SET key_slot = b.key_slot FROM subject b WHERE a.subject_id = ` + mine + ` AND b.subject_id = ` + hers, "sealed_value_not_authentic"},
		"a slot of no page":       {`UPDATE subject SET key_slot = 999999 WHERE subject_id = ` + mine, "key_page_missing"},
		"a value as the state":    {`UPDATE subject s SET state = a.sealed FROM attribute_value a WHERE a.subject_id = s.subject_id AND a.attribute_id = 2 AND s.subject_id = ` + mine, "sealed_value_not_authentic"},
		"a policy without a body": {`INSERT INTO publication (number, revision_id, published_by, published_at) SELECT 99, revision_id, 'test', now() FROM revision WHERE content = 'x'`, "policy_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := setup(t)
			var ids []privacy.SubjectID
			for _, email := range []string{"ada@example.com", "bob@example.com"} {
				ids = append(ids, v.put(email, fields{"given_name": "Ada", "family_name": "Lovelace", "country": "DE"}))
				v.decide(ids[len(ids)-1], privacy.ActionGrant)
			}
			v.exec(`INSERT INTO revision VALUES (repeat('a', 64), 'x', 'test', now())`)
			v.exec(c.statement)
			_, err := v.ask([]privacy.AttributeName{"given_name", "family_name"}, ids...)
			kind := privacy.KindInternal
			if c.code == "policy_unavailable" {
				kind = privacy.KindUnavailable
			}
			wantCode(t, err, kind, c.code)
			for _, word := range []string{"Ada", "Lovelace", "example.com", ids[0].String()} {
				if strings.Contains(err.Error(), word) {
					t.Errorf("the error tells %q", word)
				}
			}
		})
	}
}

// A caller who leaves gets nothing, and leaves nothing running: when the call returns, the record of
// it is either committed or will never be.
func TestDiscloseToACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	request := custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"email"}, Subjects: []custody.SubjectRef{{ID: id}}}
	for _, patience := range []time.Duration{0, 200 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond} {
		ctx, leave := context.WithTimeout(t.Context(), patience)
		disclosed, err := v.Disclose(ctx, consumer, request)
		leave()
		if (disclosed == nil) == (err == nil) {
			t.Errorf("after %s: %v with error %v", patience, disclosed, err)
		}
		if err != nil && privacy.KindOf(err) != privacy.KindUnavailable {
			t.Errorf("after %s: %v", patience, err)
		}
	}
	v.wantTold(id, told{"email": `"ada@example.com"`})
	v.Close() // waits for what is under way
	_, err := v.ask([]privacy.AttributeName{"email"}, id)
	wantCode(t, err, privacy.KindUnavailable, "audit_closed")
}

func TestDiscloseIsOnRecordBeforeItAnswers(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	v.exec(`ALTER TABLE audit_entry ADD CHECK (action <> 'disclosure')`)
	_, err := v.ask([]privacy.AttributeName{"email"}, id)
	wantCode(t, err, privacy.KindUnavailable, "audit_unavailable")
	v.exec(`ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_action_check`)
	v.wantTold(id, told{"email": `"ada@example.com"`})
	entry := v.newest(id, 1)[0]
	if entry.Action != audit.ActionDisclosure || entry.Client != consumer.Client || entry.Purpose != marketing || entry.RequestID != consumer.Request || entry.Decision.IsZero() {
		t.Errorf("on record: %+v", entry)
	}
}

func TestDiscloseRefusals(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	subject := []custody.SubjectRef{{ID: id}}
	email := []privacy.AttributeName{"email"}
	for code, request := range map[string]custody.Request{
		"attributes_missing": {Purpose: marketing, Subjects: subject},
		"subjects_missing":   {Purpose: marketing, Attributes: email},
		"unknown_attribute":  {Purpose: marketing, Attributes: []privacy.AttributeName{"email", "shoe_size"}, Subjects: subject},
		"unknown_purpose":    {Purpose: "no.such", Attributes: email, Subjects: subject},
	} {
		_, err := v.Disclose(t.Context(), consumer, request)
		wantCode(t, err, privacy.KindInvalid, code)
	}
	_, err := v.Disclose(t.Context(), steward, custody.Request{Purpose: marketing, Attributes: email, Subjects: subject})
	wantCode(t, err, privacy.KindForbidden, "not_allowed")
	if n := v.count(`SELECT count(*) FROM audit_trail WHERE action = 'disclosure'`); n != 0 {
		t.Errorf("%d refused calls are on record as disclosures", n)
	}
}
