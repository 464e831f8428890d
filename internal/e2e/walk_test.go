package e2e_test

import (
	"net/http"
	"testing"
)

// The path a marketing application walks: a profile comes in, consent is given, permitted fields go
// out with reasons for the rest, the decision is on record, and a withdrawal ends it.
func TestWalk(t *testing.T) {
	v := setup(t)
	id := v.store("ada@example.com", object{"email": "ada@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10", "income": 58138, "government_id": "X1234567"})
	asked := []string{"email", "given_name", "income", "birth_date", "government_id", "phone"}

	before := v.disclose("marketing.email", asked, id).Disclosures[0]
	if len(before.Attributes) != 0 || before.Withheld["email"] != "consent_missing" {
		t.Errorf("without consent: %+v", before)
	}
	v.consent(id, "marketing.email", "grant")
	given := v.disclose("marketing.email", asked, id).Disclosures[0]
	if given.Attributes["email"] != "ada@example.com" || given.Attributes["given_name"] != "Ada" {
		t.Errorf("with consent: %+v", given)
	}
	if given.Attributes["income"] == 58138.0 || given.Withheld["government_id"] == "" || given.Withheld["phone"] != "no_value" {
		t.Errorf("with consent: %+v", given)
	}
	t.Logf("%+v", given)
	v.consent(id, "marketing.email", "withdraw")
	after := v.disclose("marketing.email", asked, id).Disclosures[0]
	if len(after.Attributes) != 0 || after.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("after withdrawal: %+v", after)
	}
	var entries struct {
		Entries []struct{ ID, Action, Subject, Decision string }
	}
	v.get("/v1/audit/entries?subject="+id, v.auditor()).into(t, &entries)
	if len(entries.Entries) != 6 {
		t.Errorf("%d entries, want 6: %+v", len(entries.Entries), entries)
	}
	if err := v.node.Service.Book().Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	var replayed struct{ Same bool }
	v.get("/v1/audit/entries/"+entries.Entries[0].ID+"/replay", v.auditor()).into(t, &replayed)
	if !replayed.Same {
		t.Error("the decision does not replay")
	}
	t.Logf("%s", v.get("/v1/audit/proof/inclusion?entry="+entries.Entries[0].ID, v.auditor()).body)
	t.Logf("%s", v.get("/v1/audit/checkpoint", v.auditor()).body)
	if a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.steward(), object{"purpose": "marketing.email", "attributes": asked, "subjects": []object{{"id": id}}}); a.status != http.StatusForbidden {
		t.Errorf("a steward was answered %d", a.status)
	}
}
