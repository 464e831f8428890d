package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
)

// Who has neither a token nor a verified address is vouched for by one agent, and gets their file by another, who is handed the link: for ten
// minutes, until the file was fetched, and on record as what it is. Nobody gets it alone, nor where there is a better way.
func TestExportLinkIsHandedOver(t *testing.T) {
	time0, bag := &clock{}, &postbag{}
	v := setupWith(t, behindAProxy, time0.set, func(c *node.Config) {
		c.Confirming.Email, c.Confirming.PublicURL = bag, "https://privacy.example.com"
	})
	desk, back := v.agent(), v.token("back-office", privacy.RoleAgent)
	id := v.store("no.address@example.com", object{"email": "no.address@example.com", "country": "DE", "given_name": "Ada"})
	vouched := func(by string, r rightsRequest) string {
		t.Helper()
		v.post("/v1/requests/"+r.ID+"/verify", by, object{"seen": "identity_document"}, http.StatusOK)
		if r = v.closed(r.ID); r.State != "completed" || r.IdentifiedBy != "agent" {
			t.Fatalf("the request: %+v", r)
		}
		return r.ID
	}
	type handed struct {
		Token, Path string
		Sent        bool
		ExpiresAt   time.Time `json:"expires_at"`
	}
	ask := func(request, token string, body object) answer {
		return v.call(http.MethodPost, v.url+"/v1/requests/"+request+"/export/link", token, body)
	}
	over := object{"hand_over": true}
	var r rightsRequest
	v.post("/v1/requests", desk, object{"type": "access", "identifier": object{"type": "email", "value": "no.address@example.com"}}, http.StatusCreated).into(t, &r)
	if a := ask(r.ID, desk, over); a.code() != "export_not_ready" {
		t.Errorf("before anybody has vouched: %d %s", a.status, a.body)
	}
	request := vouched(back, r)
	for name, c := range map[string]struct {
		token string
		body  object
		code  string
	}{
		"without a word of it":  {desk, object{}, "no_verified_address"},
		"who has vouched":       {back, over, "second_look_needed"},
		"another subject":       {v.self(v.store("another@example.com", object{"country": "DE"})), over, "not_allowed"},
		"who may only look":     {v.auditor(), over, "not_allowed"},
		"who gets disclosures":  {v.consumer(), over, "not_allowed"},
		"who brings data along": {v.steward(), over, "not_allowed"},
	} {
		if a := ask(request, c.token, c.body); a.code() != c.code || strings.Contains(string(a.body), `"token"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	hand := func(request, token string) (h handed) {
		t.Helper()
		a := ask(request, token, over)
		if a.into(t, &h); a.status != http.StatusCreated || h.Sent || h.Path != "/export#"+h.Token || h.Token == "" || h.ExpiresAt.After(time0.now().Add(10*time.Minute)) {
			t.Errorf("handed over: %d %s", a.status, a.body)
		}
		return h
	}
	late := hand(request, desk)
	time0.pass(10 * time.Minute)
	if a := v.fetch(late.Token); a.code() != "export_link_invalid" {
		t.Errorf("ten minutes later: %d %s", a.status, a.body)
	}
	link := hand(request, v.officer())
	a := v.fetch(link.Token)
	if a.status != http.StatusOK || !strings.Contains(unzip(t, a.body)["data.json"], "no.address@example.com") {
		t.Errorf("fetched: %d", a.status)
	}
	if a := ask(request, desk, over); a.code() != "export_fetched" {
		t.Errorf("once it was fetched: %d %s", a.status, a.body)
	}
	if strings.Contains(string(v.dump()), link.Token) || strings.Contains(v.logs.String(), link.Token) {
		t.Error("the link is in clear")
	}
	var entries struct {
		Entries []struct{ Action, Object, Actor, Client string }
	}
	v.get("/v1/audit/entries?subject="+id, v.auditor()).into(t, &entries)
	var by []string
	for _, e := range entries.Entries {
		if e.Action == "export.hand_over" && strings.HasPrefix(e.Object, "export/") && e.Actor != "" {
			by = append(by, e.Client)
		}
	}
	if strings.Join(by, " ") != "olga service-desk" {
		t.Errorf("on record: %v of %+v", by, entries.Entries)
	}

	// For what came by the form, which anybody fills in, two vouch, and neither of them gets it.
	v.anybody("203.0.113.1", "/v1/requests/form", form("portability", "no.address@example.com")).into(t, &r)
	v.verify(r.ID, desk, http.StatusOK)
	request = vouched(back, r)
	for name, who := range map[string]string{"who vouched first": desk, "who vouched then": back} {
		if a := ask(request, who, over); a.code() != "second_look_needed" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	hand(request, v.officer())

	// Who has a token fetches it with that; and where there is an address, the link goes there.
	if a := ask(v.askFor("access", id), desk, over); a.code() != "not_vouched_for" {
		t.Errorf("of who has a token: %d %s", a.status, a.body)
	}
	v.verified("an.address@example.com")
	v.post("/v1/requests", desk, object{"type": "access", "identifier": object{"type": "email", "value": "an.address@example.com"}}, http.StatusCreated).into(t, &r)
	var h handed
	if a := ask(vouched(back, r), desk, over); a.status != http.StatusCreated || strings.Contains(string(a.body), "token") {
		t.Errorf("of who has an address: %d %s", a.status, a.body)
	} else if a.into(t, &h); !h.Sent {
		t.Errorf("of who has an address: %+v", h)
	}
}
