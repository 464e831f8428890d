package e2e_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// verify has a request vouched for, and gives how far it is then.
func (v *vault) verify(id, token string, want int) (r rightsRequest) {
	v.t.Helper()
	a := v.post("/v1/requests/"+id+"/verify", token, object{"seen": "identity_document"}, want)
	if want == http.StatusOK {
		a.into(v.t, &r)
	} else if a.code() != "second_look_needed" {
		v.t.Errorf("refused: %s", a.body)
	}
	return r
}

// Whoever vouches may have filled the form in: nobody has somebody erased alone, or gets their file. It takes another agent, or the code. Where the
// policy wants a second look it is by somebody who has neither brought the request nor looked before.
func TestNobodyVouchesAlone(t *testing.T) {
	bag := &postbag{}
	v := setupWith(t, behindAProxy, func(c *node.Config) { c.Confirming.Email = bag })
	desk, back, third := v.agent(), v.token("back-office", privacy.RoleAgent), v.token("branch", privacy.RoleAgent)
	byForm := func(kind, email string) (r rightsRequest) {
		v.anybody("203.0.113.1", "/v1/requests/form", form(kind, email)).into(t, &r)
		return r
	}
	id := v.store("victim@example.com", object{"country": "DE", "birth_date": "1990-12-10"})
	r := byForm("erasure", "victim@example.com")
	if once := v.verify(r.ID, desk, http.StatusOK); once.State != "verifying" || !once.SecondLook || once.IdentifiedBy != "agent" {
		t.Errorf("by the form and one agent: %+v", once)
	}
	v.verify(r.ID, desk, http.StatusForbidden)
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] == "erased" {
		t.Error("one agent has somebody erased")
	}
	due := v.requestOf(r.ID).DueAt
	if twice := v.verify(r.ID, back, http.StatusOK); !twice.DueAt.Equal(due) {
		t.Errorf("due at %v with one proof, at %v with two", due, twice.DueAt)
	}
	if r = v.closed(r.ID); r.State != "completed" {
		t.Errorf("by the form and two agents: %+v", r)
	}

	v.verified("reader@example.com")
	r = byForm("access", "reader@example.com")
	v.verify(r.ID, desk, http.StatusOK)
	v.anybody("203.0.113.1", "/v1/requests/form/"+r.ID+"/verify", object{"code": bag.code(t, 1)})
	if r = v.closed(r.ID); r.State != "completed" || r.IdentifiedBy != "code" {
		t.Errorf("by the form, an agent and the code: %+v", r)
	}

	v.enact("Look twice before withdrawing", `{"data":{"deadlines":{"handling":{"second_look":["withdrawal"]}}}}`)
	v.post("/v1/requests", desk, object{"type": "withdrawal", "subject": object{"id": v.verified("look@example.com")}}, http.StatusCreated).into(t, &r)
	v.verify(r.ID, desk, http.StatusForbidden)
	if once := v.verify(r.ID, back, http.StatusOK); once.State != "verifying" || !once.SecondLook {
		t.Errorf("with one look: %+v", once)
	}
	v.verify(r.ID, back, http.StatusForbidden)
	v.verify(r.ID, desk, http.StatusForbidden)
	if r = v.verify(r.ID, third, http.StatusOK); r.State != "completed" || r.SecondLook {
		t.Errorf("with two: %+v", r)
	}
}

// A code is used up by what it takes up: whoever could not be answered tries it again.
func TestCodeOutlastsWhatFails(t *testing.T) {
	bag := &postbag{}
	v := setupWith(t, behindAProxy, func(c *node.Config) { c.Confirming.Email = bag })
	id := v.verified("again@example.com")
	v.consent(id, "marketing.email", "grant")
	var r rightsRequest
	v.anybody("203.0.113.1", "/v1/requests/form", form("withdrawal", "again@example.com")).into(t, &r)
	code := bag.code(t, 1)

	db, look := v.connect(), v.connect()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM subject WHERE subject_id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	request := v.ref(r.ID, id).ID
	go func() {
		_, err := v.node.Rights.Verify(ctx, custody.System(), request, rights.Proof{Code: privacy.NewCleartext(code)})
		failed <- err
	}()
	v.waits(look)
	cancel()
	if err := <-failed; err == nil {
		t.Error("it did not fail")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	verify := func() answer {
		return v.anybody("203.0.113.1", "/v1/requests/form/"+r.ID+"/verify", object{"code": code})
	}
	if a := verify(); a.status != http.StatusOK {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("after the withdrawal: %+v", d)
	}
	if a := verify(); a.code() != "code_invalid" {
		t.Errorf("used: %d %s", a.status, a.body)
	}
}
