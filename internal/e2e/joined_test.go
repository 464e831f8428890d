package e2e_test

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// A process has died between a withdrawal and the end of its request. The person consents again, and withdraws again: that is another
// decision, and it is not lost in the request that is still open.
func TestLaw3WithdrawalBesideOneThatIsOpen(t *testing.T) {
	v := setupWith(t, soon)
	id := v.store("again@example.com", object{"email": "again@example.com", "country": "DE", "birth_date": "1990-12-10"})
	ask := func(kind string) (r rightsRequest) {
		v.post("/v1/me/requests", v.self(id), object{"type": kind}, http.StatusCreated).into(t, &r)
		return r
	}
	database, err := pgx.Connect(t.Context(), v.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Close(t.Context()) })
	for _, withheld := range []privacy.Reason{"consent_withdrawn", "objected"} { // in this order: an objection stays
		kind := map[privacy.Reason]string{"consent_withdrawn": "withdrawal", "objected": "objection"}[withheld]
		v.consent(id, "marketing.email", "grant")
		first := ask(kind)
		if _, err := database.Exec(t.Context(), `UPDATE rights_request SET state = 'in_progress', closed_at = NULL WHERE request_id = $1`, first.ID); err != nil {
			t.Fatal(err)
		}
		v.consent(id, "marketing.email", "grant")
		second := ask(kind)
		if second.ID == first.ID || second.State != "completed" {
			t.Errorf("%s again: %+v", kind, second)
		}
		if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != string(withheld) {
			t.Errorf("the second %s is not in force: %+v", kind, d)
		}
	}
}

// Two rectifications are brought before either person was identified: the second joins the first, and all that was asked for is put right.
func TestWhatAJoinedRequestSaysIsNotLost(t *testing.T) {
	v := setupWith(t, soon)
	id := v.store("twice@example.com", object{"email": "twice@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var both [2]rightsRequest
	for i, right := range []object{{"birth_date": "1991-01-01"}, {"country": "FR"}} {
		v.post("/v1/requests", v.agent(), object{"type": "rectification", "subject": object{"id": id}, "details": object{"attributes": right}}, http.StatusCreated).into(t, &both[i])
	}
	for i := range both {
		v.post("/v1/requests/"+both[i].ID+"/verify", v.token("other-desk", privacy.RoleAgent), object{"seen": "in_person"}, http.StatusOK).into(t, &both[i])
	}
	if both[1].JoinedTo != both[0].ID {
		t.Fatalf("the second: %+v", both[1])
	}
	v.post("/v1/requests/"+both[0].ID+"/complete", v.officer(), object{}, http.StatusOK)
	var profile struct {
		Attributes []struct{ Name, Value string }
	}
	v.get("/v1/me/profile", v.self(id)).into(t, &profile)
	right := map[string]string{}
	for _, a := range profile.Attributes {
		right[a.Name] = a.Value
	}
	if right["birth_date"] != "1991-01-01" || right["country"] != "FR" {
		t.Errorf("put right: %v", right)
	}
}
