package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// downstream is a processor that is called and calls back.
type downstream struct {
	*receiver
	id, secret string
	signer     *standardwebhooks.Webhook
}

// downstream registers a processor that answers its calls in some way.
func (v *vault) downstream(answer func(call) int, entry object) *downstream {
	v.t.Helper()
	d := &downstream{receiver: newReceiver(v.t, answer)}
	d.ahead = true
	server := httptest.NewServer(d.receiver)
	v.t.Cleanup(server.Close)
	body := object{"name": "Mail House", "contact": "privacy@mailhouse.example", "url": server.URL + "/hook", "purposes": []string{"marketing.*"}, "country": "DE", "agreement": "DPA-1"}
	for key, value := range entry {
		body[key] = value
	}
	var saved struct{ ID, Secret string }
	v.post("/v1/processors", v.officer(), body, http.StatusCreated).into(v.t, &saved)
	signer, err := standardwebhooks.NewWebhook(saved.Secret)
	if err != nil {
		v.t.Fatal(err)
	}
	d.mu.Lock()
	d.id, d.secret, d.signer, d.verifier = saved.ID, saved.Secret, signer, signer
	d.mu.Unlock()
	return d
}

// callback is what a processor sends to acknowledge, and how it can go wrong.
type callback struct {
	path      string // "" for the processor's own
	body      string
	at        time.Time
	signature string // "" for the right one
}

// acknowledge sends a call-back of a processor.
func (v *vault) acknowledge(d *downstream, c callback) answer {
	v.t.Helper()
	if c.path == "" {
		c.path = "/v1/processors/" + d.id + "/acknowledgements"
	}
	if c.signature == "" {
		var err error
		if c.signature, err = d.signer.Sign("msg_1", c.at, []byte(c.body)); err != nil {
			v.t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+c.path, strings.NewReader(c.body))
	if err != nil {
		v.t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": fmt.Sprint(c.at.Unix()), "webhook-signature": c.signature} {
		request.Header.Set(name, value)
	}
	return v.do(request)
}

func naming(requests ...string) string {
	text, _ := json.Marshal(object{"requests": requests}) // strings
	return string(text)
}

// subjectOf waits for the event of a kind that a processor accepted.
func (d *downstream) told(kind privacy.EventKind) call {
	d.t.Helper()
	var found call
	d.wait(func(calls []call) bool {
		for _, c := range calls {
			if c.message.Type == kind {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

func (v *vault) requestOf(id string) (r rightsRequest) {
	v.t.Helper()
	v.get("/v1/requests/"+id, v.officer()).into(v.t, &r)
	return r
}

// feed gives the events of a kind that somebody sees.
func (v *vault) feed(token string, kind privacy.EventKind) (found []feedEvent) {
	v.t.Helper()
	var page struct{ Events []feedEvent }
	v.get("/v1/events?limit=1000", token).into(v.t, &page)
	for _, e := range page.Events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

type feedEvent struct {
	ID   string
	Type privacy.EventKind
	Data struct{ Subject, Request, Processor string }
}

// Two processors are down for a day. The request waits, and tells who does not answer; officers hear of it once; and when the two have
// confirmed, one by a signed call and one that asks for its events, it completes, and the certificate lists them. A processor that never
// received the person is told nothing.
func TestTwoProcessorsDownForADay(t *testing.T) {
	time0 := &clock{}
	v := setupWith(t, soon, time0.set)
	mail := v.downstream(always(http.StatusServiceUnavailable), nil)
	crm := v.downstream(always(http.StatusServiceUnavailable), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"service.support"}})
	stranger := v.downstream(func(c call) int {
		if c.message.Type == privacy.EventSubjectErased {
			t.Errorf("a processor that never received the person is told: %s", c.body)
		}
		return http.StatusOK
	}, object{"name": "Analysts", "purposes": []string{"analytics.profiling"}})
	id := v.store("down@example.com", object{"email": "down@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email"}, id)

	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
	var r rightsRequest
	waitUntil(t, func() bool {
		r = v.requestOf(lodged.ID)
		return r.State == "awaiting_processors" && len(r.Processors) == 2 && r.Processors[0].Attempts > 0 && r.Processors[1].Attempts > 0
	})
	for _, p := range r.Processors {
		if p.Delivery != "pending" || p.Problem != "failed" || p.ToldAt.IsZero() || p.AcknowledgedAt != nil || p.EscalatedAt != nil {
			t.Errorf("while it is down: %+v", p)
		}
	}
	attend := func() {
		if err := v.node.Rights.Attend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	attend()
	if r = v.requestOf(lodged.ID); r.Processors[0].EscalatedAt != nil {
		t.Errorf("escalated at once: %+v", r.Processors)
	}

	time0.pass(25 * time.Hour)
	attend()
	attend() // as another node does
	waitUntil(t, func() bool { return len(v.feed(v.officer(), privacy.EventRequestEscalated)) >= 2 })
	if escalated := v.feed(v.officer(), privacy.EventRequestEscalated); len(escalated) != 2 || escalated[0].Data.Request != lodged.ID || escalated[0].Data.Processor == escalated[1].Data.Processor || escalated[0].Data.Subject != "" {
		t.Errorf("escalated: %+v", escalated)
	}
	if seen := v.feed(v.consumer(), privacy.EventRequestEscalated); len(seen) != 0 {
		t.Errorf("an application sees what is for officers: %+v", seen)
	}
	if r = v.requestOf(lodged.ID); r.State != "awaiting_processors" || r.Processors[0].EscalatedAt == nil || r.Processors[1].EscalatedAt == nil {
		t.Errorf("after a day: %+v", r)
	}
	if a := v.call(http.MethodGet, v.url+"/v1/requests/"+lodged.ID+"/certificate", v.officer(), nil); a.code() != "not_erased_yet" {
		t.Errorf("a certificate while two are down: %d %s", a.status, a.body)
	}

	mail.set(always(http.StatusOK))
	crm.set(always(http.StatusOK))
	for _, d := range []*downstream{mail, crm} {
		if c := d.told(privacy.EventSubjectErased); c.id != lodged.ID || c.message.Data.Request != lodged.ID || c.message.Data.Subject != id {
			t.Errorf("told: %s", c.body)
		}
	}
	if a := v.acknowledge(mail, callback{body: naming(lodged.ID), at: time0.now()}); a.status != http.StatusOK {
		t.Fatalf("the call-back: %d %s", a.status, a.body)
	}
	if a := v.acknowledge(stranger, callback{body: naming(lodged.ID), at: time0.now()}); a.code() != "not_told" {
		t.Errorf("of one that was not told: %d %s", a.status, a.body)
	}
	if r = v.requestOf(lodged.ID); r.State != "awaiting_processors" {
		t.Errorf("one of two has confirmed: %+v", r)
	}
	polled := v.feed(v.consumer(), privacy.EventSubjectErased)
	if len(polled) != 1 || polled[0].Data.Request != lodged.ID {
		t.Fatalf("the feed of the application: %+v", polled)
	}
	if other := v.feed(v.token("insights", privacy.RoleConsumer), privacy.EventSubjectErased); len(other) != 0 {
		t.Errorf("the feed of another application: %+v", other)
	}
	v.post("/v1/events/acknowledgements", v.consumer(), object{"requests": []string{polled[0].Data.Request}}, http.StatusOK)

	if r = v.closed(lodged.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("all have confirmed: %+v", r)
	}
	var answer struct{ Certificate string }
	v.get("/v1/requests/"+lodged.ID+"/certificate", v.officer()).into(t, &answer)
	certificate, err := rights.VerifyCertificate(answer.Certificate, v.trusted())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, p := range certificate.Processors {
		by[p.Name] = p.By
		if p.AcknowledgedAt.Sub(p.ToldAt) < 24*time.Hour {
			t.Errorf("certified: %+v", p)
		}
	}
	if len(by) != 2 || by["Mail House"] != "callback" || by["CRM"] != "poll" {
		t.Errorf("the certificate lists %v", by)
	}
}

// What is not signed by the processor itself, or is about what it was not told, acknowledges nothing. To say it twice changes nothing.
func TestAcknowledgementsThatDoNotCount(t *testing.T) {
	v := setupWith(t, soon)
	mail, other := v.downstream(always(http.StatusOK), nil), v.downstream(always(http.StatusOK), object{"purposes": []string{"analytics.profiling"}})
	retired := v.downstream(always(http.StatusOK), object{"purposes": []string{"analytics.profiling"}})
	v.post("/v1/processors/"+retired.id+"/retire", v.officer(), object{"version": 1}, http.StatusOK)
	id := v.store("ack@example.com", object{"email": "ack@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
	mail.told(privacy.EventSubjectErased)

	body, now := naming(lodged.ID), time.Now()
	stranger, _ := other.signer.Sign("msg_1", now, []byte(body))
	own, _ := mail.signer.Sign("msg_1", now, []byte(body))
	unknown := "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"
	for name, c := range map[string]struct {
		from   *downstream
		call   callback
		status int
		code   string
	}{
		"a wrong signature":             {mail, callback{body: body, at: now, signature: "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, 401, "webhook_not_authentic"},
		"no signature":                  {mail, callback{body: body, at: now, signature: " "}, 401, "webhook_not_authentic"},
		"another processor's signature": {mail, callback{body: body, at: now, signature: stranger}, 401, "webhook_not_authentic"},
		"a changed body":                {mail, callback{body: naming(lodged.ID, lodged.ID), at: now, signature: own}, 401, "webhook_not_authentic"},
		"an old call":                   {mail, callback{body: body, at: now.Add(-6 * time.Minute)}, 401, "webhook_not_authentic"},
		"a call from the future":        {mail, callback{body: body, at: now.Add(6 * time.Minute)}, 401, "webhook_not_authentic"},
		"no such processor":             {mail, callback{path: "/v1/processors/" + unknown + "/acknowledgements", body: body, at: now}, 401, "webhook_not_authentic"},
		"no id of a processor":          {mail, callback{path: "/v1/processors/mail/acknowledgements", body: body, at: now}, 401, "webhook_not_authentic"},
		"a retired processor":           {retired, callback{body: body, at: now}, 401, "webhook_not_authentic"},
		"one that was not told":         {other, callback{body: body, at: now}, 404, "not_told"},
		"no such request":               {mail, callback{body: naming(unknown), at: now}, 404, "not_told"},
		"one of two that is not":        {mail, callback{body: naming(lodged.ID, unknown), at: now}, 404, "not_told"},
		"no id of a request":            {mail, callback{body: naming("erasure"), at: now}, 422, "invalid_id"},
		"none":                          {mail, callback{body: naming(), at: now}, 422, "invalid_request"},
		"something else":                {mail, callback{body: `{"requests":7}`, at: now}, 422, "invalid_request"},
	} {
		if a := v.acknowledge(c.from, c.call); a.status != c.status || a.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, a.status, a.body, c.status, c.code)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/events/acknowledgements", v.consumer(), object{"requests": []string{lodged.ID}}); a.code() != "not_told" {
		t.Errorf("by an application that is no processor: %d %s", a.status, a.body)
	}
	if r := v.requestOf(lodged.ID); r.State != "awaiting_processors" || r.Processors[0].AcknowledgedAt != nil {
		t.Fatalf("something of it counted: %+v", r)
	}

	for range 2 {
		if a := v.acknowledge(mail, callback{body: body, at: now}); a.status != http.StatusOK {
			t.Errorf("acknowledged: %d %s", a.status, a.body)
		}
	}
	first := v.closed(lodged.ID).Processors[0].AcknowledgedAt
	if a := v.acknowledge(mail, callback{body: body, at: time.Now()}); a.status != http.StatusOK {
		t.Errorf("acknowledged again: %d %s", a.status, a.body)
	}
	if again := v.requestOf(lodged.ID).Processors[0].AcknowledgedAt; !again.Equal(*first) {
		t.Errorf("acknowledged at %s, then at %s", first, again)
	}
	var n int
	if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'request.acknowledge'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d entries: %v", n, err)
	}
}

// A withdrawal is in force at once, and waits for who has received the person. Who asks again meanwhile is withdrawn again. An officer can
// confirm for a processor; a processor that confirms nothing is told again.
func TestWithdrawalWaitsForProcessors(t *testing.T) {
	time0 := &clock{}
	v := setupWith(t, soon, time0.set)
	mail := v.downstream(always(http.StatusOK), nil)
	id := v.store("wait@example.com", object{"email": "wait@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	ask := func(kind string) (r rightsRequest) {
		v.post("/v1/me/requests", v.self(id), object{"type": kind}, http.StatusCreated).into(t, &r)
		return r
	}
	first := ask("withdrawal")
	if first.State != "awaiting_processors" {
		t.Errorf("the withdrawal: %+v", first)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("it is not in force: %+v", d)
	}
	if c := mail.told(privacy.EventSubjectWithdrawn); c.message.Data.Request != first.ID || c.message.Data.Subject != id {
		t.Errorf("told: %s", c.body)
	}

	v.consent(id, "marketing.email", "grant")
	second := ask("withdrawal")
	if second.ID == first.ID || second.Joined {
		t.Errorf("asked again: %+v", second)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("the second is not in force: %+v", d)
	}
	if r := ask("objection"); r.State != "completed" {
		t.Errorf("an objection: %+v", r)
	}
	if r := ask("restriction"); r.State != "awaiting_processors" {
		t.Errorf("a restriction: %+v", r)
	}

	tries := func() int { return v.requestOf(first.ID).Processors[0].Attempts }
	waitUntil(t, func() bool { return tries() == 1 })
	time0.pass(25 * time.Hour)
	if err := v.node.Rights.Attend(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return tries() == 2 })

	v.post("/v1/requests/"+first.ID+"/acknowledgements", v.officer(), object{"processor": mail.id}, http.StatusOK)
	if r := v.closed(first.ID); r.State != "completed" || r.Processors[0].AcknowledgedBy != "officer" {
		t.Errorf("confirmed by an officer: %+v", r)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+second.ID+"/acknowledgements", v.agent(), object{"processor": mail.id}); a.status != http.StatusForbidden {
		t.Errorf("by an agent: %d %s", a.status, a.body)
	}
}

// Who has received what is erased of somebody is told which attributes that are, and the request waits for them. Who asks for the same again
// meanwhile has it erased again.
func TestErasureOfAPartIsToldToWhoHasIt(t *testing.T) {
	v := setupWith(t, soon)
	crm := v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer"})
	v.downstream(func(c call) int {
		if c.message.Type == privacy.EventSubjectPartErased {
			t.Errorf("a processor that has not received it is told: %s", c.body)
		}
		return http.StatusOK
	}, nil)
	id := v.store("apart@example.com", object{"email": "apart@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email", "given_name"}, id)
	ask := func() (r rightsRequest) {
		v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}}, http.StatusCreated).into(t, &r)
		waitUntil(t, func() bool { r = v.requestOf(r.ID); return r.State == "awaiting_processors" })
		return r
	}
	first := ask()
	if c := crm.told(privacy.EventSubjectPartErased); c.message.Data.Request != first.ID || len(c.message.Data.Attributes) != 1 || c.message.Data.Attributes[0] != "given_name" {
		t.Errorf("told: %s", c.body)
	}
	v.call(http.MethodPatch, v.url+"/v1/subjects/"+id+"/attributes", v.steward(), object{"attributes": object{"given_name": "Ada again"}, "source": "crm"})
	second := ask()
	if second.ID == first.ID {
		t.Errorf("asked again: %+v", second)
	}
	if d := v.disclose("marketing.email", []string{"given_name"}, id).Disclosures[0]; d.Withheld["given_name"] != "no_value" {
		t.Errorf("after the second: %+v", d)
	}
	if a := v.acknowledge(crm, callback{body: naming(first.ID, second.ID), at: time.Now()}); a.status != http.StatusOK {
		t.Errorf("the call-back: %d %s", a.status, a.body)
	}
	for _, r := range []rightsRequest{first, second} {
		if r = v.closed(r.ID); r.State != "completed" || len(r.Processors) != 1 {
			t.Errorf("confirmed: %+v", r)
		}
	}
}
