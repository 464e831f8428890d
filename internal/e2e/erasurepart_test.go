package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Part of somebody's data is erased: by attribute, by category, by purpose. Where backups must not keep it, one from before opens nothing
// of them, while what was not deleted reads as before.
func TestErasureOfAPart(t *testing.T) {
	v := setup(t)
	give := func(email string) string {
		return v.store(email, object{"email": email, "given_name": "Ada", "gender": "female", "country": "DE", "birth_date": "1990-12-10", "visits_month": 3, "emails_opened": 4, "government_id": "L01X00T47"})
	}
	id, other := give("part@example.com"), give("whole@example.com")
	for _, person := range []string{id, other} {
		v.post("/v1/consents", v.steward(), object{"subject": object{"id": person}, "purpose": "marketing.email", "action": "grant", "evidence": "the form"}, http.StatusCreated)
		v.post("/v1/subjects/"+person+"/signals", v.agent(), object{"gpc": true}, http.StatusCreated)
		v.post("/v1/consents", v.steward(), object{"subject": object{"id": person}, "purpose": "marketing.email", "action": "grant"}, http.StatusCreated)
	}
	db := v.connect()
	held := func() (names []string) {
		t.Helper()
		rows, err := db.Query(t.Context(), `SELECT attribute_id FROM attribute_value WHERE subject_id = $1 AND sealed IS NOT NULL ORDER BY attribute_id`, id)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var number int32
			if err := rows.Scan(&number); err != nil {
				t.Fatal(err)
			}
			attribute, _ := v.node.Service.Catalogue().ByID(privacy.AttributeID(number))
			names = append(names, string(attribute.Name))
		}
		return names
	}
	erase := func(only object) (r rightsRequest) {
		t.Helper()
		v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": only}}, http.StatusCreated).into(t, &r)
		r = v.closed(r.ID)
		if r.State != "completed" || !r.Certificate {
			t.Errorf("erasure of %v: %+v", only, r)
		}
		return r
	}
	lacks := func(gone ...string) {
		t.Helper()
		left := strings.Join(held(), " ")
		for _, name := range gone {
			if strings.Contains(left, name) {
				t.Errorf("%s is still there: %s", name, left)
			}
		}
	}

	erase(object{"categories": []string{"behaviour"}})
	lacks("visits_month")
	erase(object{"purposes": []string{"service.support"}}) // the only one that a government's number serves
	lacks("government_id")
	dump := v.dump()
	var before privacy.KeySlot
	if err := db.QueryRow(t.Context(), `SELECT key_slot FROM subject WHERE subject_id = $1`, id).Scan(&before); err != nil {
		t.Fatal(err)
	}
	erase(object{"attributes": []string{"given_name"}, "backups": true})
	lacks("given_name")

	attributes := []string{"email", "given_name", "gender"}
	for i, d := range v.disclose("marketing.email", attributes, id, other).Disclosures {
		if d.Attributes["email"] == nil || d.Attributes["gender"] != "female" || (d.Attributes["given_name"] == nil) != (i == 0) {
			t.Errorf("subject %d: %+v", i, d)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/lookup", v.steward(), object{"identifier": object{"type": "email", "value": "part@example.com"}}); a.status != http.StatusOK {
		t.Errorf("they are found no more: %d", a.status)
	}
	var after privacy.KeySlot
	var spent bool
	if err := db.QueryRow(t.Context(), `SELECT s.key_slot, p.punctured_at IS NOT NULL FROM subject s JOIN spent_slot p USING (subject_id) WHERE subject_id = $1 AND p.key_slot = $2`, id, before).Scan(&after, &spent); err != nil || after == before || !spent {
		t.Errorf("slot %d after %d, punctured %t: %v", after, before, spent, err)
	}
	// All the rest of theirs opens under the new key, what proves a consent and a signal too.
	data, _ := v.takeAway(v.askFor("access", id), id)
	if data.value("given_name") != nil || data.value("gender") != "female" || len(data.Identifiers) != 1 || data.Identifiers[0].Value != "part@example.com" || !strings.Contains(data.Consents[0].Evidence, "the form") || len(data.Derived) == 0 {
		t.Errorf("what they take away: %+v", data)
	}
	// The same once more finds nothing to delete, and an older copy does not bring it back.
	if a := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "part@example.com"}}, "source": "old", "collected_at": "2020-01-01T00:00:00Z", "attributes": object{"given_name": "Ada"}}); a.status != http.StatusOK {
		t.Errorf("an older copy: %d %s", a.status, a.body)
	}
	lacks("given_name")

	restored := &vault{t: t, database: restore(t, dump), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	restored.node, restored.url = restored.start()
	for i, d := range restored.disclose("marketing.email", attributes, id, other).Disclosures {
		if opened := len(d.Attributes) > 0; opened != (i == 1) {
			t.Errorf("from the backup, subject %d: %+v", i, d)
		}
	}

	for name, only := range map[string]object{
		"unknown attribute": {"attributes": []string{"shoe_size_of_the_cat"}}, "unknown category": {"categories": []string{"cats"}}, "unknown purpose": {"purposes": []string{"cats"}}, "nothing": {},
	} {
		if a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": only}}); a.status != http.StatusUnprocessableEntity || strings.Contains(string(a.body), "cats") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A part waits for a legal hold as the whole does, and goes once it ends.
func TestErasureOfAPartWaitsForAHold(t *testing.T) {
	v := setup(t)
	id := v.store("part-held@example.com", object{"email": "part-held@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	var hold struct{ ID string }
	v.post("/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}}, http.StatusCreated).into(t, &r)
	ref, err := privacy.ParseRightsRequestID(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.node.Rights.CarryOut(t.Context(), rights.Ref{Subject: subject, ID: ref}); err != nil {
		t.Fatal(err)
	}
	values := func() (n int) {
		if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM attribute_value WHERE sealed IS NOT NULL`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := values(); n != 4 {
		t.Errorf("%d values are left although they are held", n)
	}
	v.post("/v1/subjects/"+id+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if done := v.closed(r.ID); done.State != "completed" || values() != 3 {
		t.Errorf("released: %+v, %d values", done, values())
	}
}
