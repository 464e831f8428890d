package e2e_test

import (
	"net/http"
	"testing"
	"time"
)

// What was said in a request is kept for two years after it was closed, for who complains of the answer, and goes then: not before, not while a legal hold
// stands, and not from a request that is open. That it was asked, and what it was answered with, stays.
func TestRetentionOfWhatRequestsSay(t *testing.T) {
	const month = 30 * 24 * time.Hour
	clock := &clock{}
	v := setupWith(t, clock.set)
	ask := func(id string, details object) (r rightsRequest) {
		v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": details}, http.StatusCreated).into(t, &r)
		return r
	}
	refused := func(email string) (id string, r rightsRequest) {
		id = v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10"})
		r = ask(id, object{"attributes": object{"birth_date": "2001-01-01"}, "text": "I am younger"})
		v.post("/v1/requests/"+r.ID+"/reject", v.officer(), object{"ground": "unfounded_or_excessive"}, http.StatusOK)
		return id, r
	}
	id, closed := refused("said.long.ago@example.com")
	keptID, kept := refused("said.and.held@example.com")
	open := ask(id, object{"text": "I am younger, I say"})
	var hold struct{ ID string }
	v.post("/v1/subjects/"+keptID+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	says := func(name string, want map[string]int) {
		t.Helper()
		for request, n := range want {
			if d := v.details(request); len(d) != n {
				t.Errorf("%s: a request says %+v", name, d)
			}
		}
	}

	clock.pass(24 * month) // ten days short of it
	if run := v.retain(false); len(run.Attributes["#requests"]) != 0 {
		t.Errorf("too early: %+v", run)
	}
	clock.pass(month)
	if run := v.retain(true); run.Attributes["#requests"]["request_closed"] != 1 || run.Attributes["#requests"]["held"] != 1 {
		t.Errorf("a dry run: %+v", run)
	}
	says("after a dry run", map[string]int{closed.ID: 1, kept.ID: 1, open.ID: 1})
	if run := v.retain(false); run.Attributes["#requests"]["request_closed"] != 1 || run.Attributes["#requests"]["held"] != 1 {
		t.Errorf("the run: %+v", run)
	}
	says("after the run", map[string]int{closed.ID: 0, kept.ID: 1, open.ID: 1})
	if r := v.requestOf(closed.ID); r.State != "rejected" || r.Ground != "unfounded_or_excessive" {
		t.Errorf("the request itself: %+v", r)
	}
	if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'retention.delete' AND object = 'request/' || $1`, closed.ID); n != 1 {
		t.Errorf("%d entries tell of it", n)
	}
	v.post("/v1/subjects/"+keptID+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if run := v.retain(false); run.Attributes["#requests"]["request_closed"] != 1 || len(run.Attributes["#requests"]) != 1 {
		t.Errorf("after the hold: %+v", run)
	}
	says("after the hold", map[string]int{kept.ID: 0, open.ID: 1})
}
