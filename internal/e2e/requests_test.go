package e2e_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
)

// postbag keeps what would be sent.
type postbag struct {
	mu   sync.Mutex
	sent []mail.Message
}

func (b *postbag) Send(_ context.Context, _ privacy.Cleartext, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, m)
	return nil
}

// text waits for the n-th message.
func (b *postbag) text(t testing.TB, n int) string {
	t.Helper()
	waitUntil(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.sent) >= n
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent[n-1].Text
}

// code waits for the n-th message and takes the code out of it.
func (b *postbag) code(t testing.TB, n int) string {
	t.Helper()
	return regexp.MustCompile(`\b[0-9]{8}\b`).FindString(b.text(t, n))
}

// An agent brings a request by an identifier: the answer does not tell whether the person is known. The code that the person was sent
// takes it up; a wrong one does not, and five of them kill it.
func TestRequestByIdentifierNeedsACode(t *testing.T) {
	bag := &postbag{}
	v := setupWith(t, func(c *node.Config) { c.Confirming.Email = bag })
	var stored struct{ ID string }
	v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "coded@example.com", "verified": true}}, "source": "test",
		"attributes": object{"email": "coded@example.com", "country": "DE", "birth_date": "1990-12-10"}}, http.StatusCreated).into(t, &stored)
	v.consent(stored.ID, "marketing.email", "grant")
	ask := func(email string) (r rightsRequest) {
		v.post("/v1/requests", v.agent(), object{"type": "withdrawal", "identifier": object{"type": "email", "value": email}}, http.StatusCreated).into(t, &r)
		return r
	}
	known, unknown := ask("coded@example.com"), ask("nobody@example.com")
	if known.State != "verifying" || unknown.State != known.State || unknown.DueAt.Sub(known.DueAt).Abs() > 60e9 {
		t.Errorf("known %+v, unknown %+v", known, unknown)
	}
	code := bag.code(t, 1)
	if code == "" || strings.Contains(v.logs.String(), code) || strings.Contains(string(v.dump()), code) {
		t.Errorf("the code %q is missing, or in clear", code)
	}
	try := func(id, code string) answer {
		return v.call(http.MethodPost, v.url+"/v1/requests/"+id+"/verify", v.agent(), object{"code": code})
	}
	if a := try(known.ID, "00000000"); a.status != http.StatusUnprocessableEntity || a.code() != "code_invalid" {
		t.Errorf("a wrong code: %d %s", a.status, a.body)
	}
	if a := try(unknown.ID, "00000000"); a.status != http.StatusUnprocessableEntity || a.code() != "code_invalid" {
		t.Errorf("a code for nobody: %d %s", a.status, a.body)
	}
	var taken rightsRequest
	a := try(known.ID, code)
	if a.into(t, &taken); a.status != http.StatusOK || taken.State != "completed" || taken.IdentifiedBy != "code" || taken.Regime != "gdpr" {
		t.Errorf("the right code: %d %s", a.status, a.body)
	}
	if d := v.disclose("marketing.email", []string{"email"}, stored.ID).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("after the withdrawal: %+v", d)
	}
	if a := try(known.ID, code); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a code that was used: %d %s", a.status, a.body)
	}

	second := ask("coded@example.com")
	code = bag.code(t, 2)
	for range 5 {
		try(second.ID, "00000000")
	}
	if a := try(second.ID, code); a.code() != "code_invalid" {
		t.Errorf("the right code after five wrong ones: %d %s", a.status, a.body)
	}
}

// Requests about others, holds, restriction, refusals: what may not be, and what follows.
func TestRequestsKeepTheirLimits(t *testing.T) {
	v := setup(t)
	id := v.store("limits@example.com", object{"email": "limits@example.com", "country": "DE", "birth_date": "1990-12-10"})
	other := v.store("other@example.com", object{"email": "other@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	for name, a := range map[string]answer{
		"for somebody else": v.call(http.MethodPost, v.url+"/v1/requests", v.self(id), object{"type": "erasure", "subject": object{"id": other}}),
		"by identifier":     v.call(http.MethodPost, v.url+"/v1/requests", v.self(id), object{"type": "erasure", "identifier": object{"type": "email", "value": "other@example.com"}}),
		"by a consumer":     v.call(http.MethodPost, v.url+"/v1/requests", v.consumer(), object{"type": "erasure", "subject": other}),
	} {
		if a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"customer_level": "gold", "value_tier": "high"}}}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a derived attribute: %d %s", a.status, a.body)
	}

	// A restriction is in force when it is answered.
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "restriction"}, http.StatusCreated).into(t, &r)
	if r.State != "completed" {
		t.Errorf("the restriction: %+v", r)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "restricted" {
		t.Errorf("restricted: %+v", d)
	}

	// A hold keeps an erasure from beginning; once it ends, the erasure goes on.
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "statutory_retention"}); a.code() != "ground_not_in_law" {
		t.Errorf("a ground of another law: %d %s", a.status, a.body)
	}
	var hold struct{ ID string }
	v.post("/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+r.ID+"/complete", v.officer(), object{}); a.code() != "carried_out_by_vault" {
		t.Errorf("an erasure is approved: %d %s", a.status, a.body)
	}
	if a := v.call(http.MethodGet, v.url+"/v1/requests/"+r.ID+"/certificate", v.officer(), nil); a.status != http.StatusConflict {
		t.Errorf("a certificate while it is held: %d %s", a.status, a.body)
	}
	var joined rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusOK).into(t, &joined)
	if joined.ID != r.ID || !joined.Joined {
		t.Errorf("asked again: %+v", joined)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] == "erased" {
		t.Error("the erasure began although it is held")
	}
	v.post("/v1/subjects/"+id+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if done := v.closed(r.ID); done.State != "completed" {
		t.Errorf("released: %+v", done)
	}

	// A refusal names a ground of the law.
	v.post("/v1/me/requests", v.self(other), object{"type": "rectification", "details": object{"text": "my name is wrong"}}, http.StatusCreated).into(t, &r)
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+r.ID+"/reject", v.officer(), object{"ground": "legal_claims"}); a.code() != "ground_not_in_law" {
		t.Errorf("a ground for something else: %d %s", a.status, a.body)
	}
	v.post("/v1/requests/"+r.ID+"/extend", v.officer(), object{"reason": "complexity"}, http.StatusOK)
	v.post("/v1/requests/"+r.ID+"/reject", v.officer(), object{"ground": "unfounded_or_excessive"}, http.StatusOK).into(t, &r)
	if r.State != "rejected" || r.Ground != "unfounded_or_excessive" {
		t.Errorf("rejected: %+v", r)
	}
}
