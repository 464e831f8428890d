package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// rectified picks those of a receiver's calls that tell of values that were put right.
func rectified(calls []call) []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.message.Type != privacy.EventSubjectRectified })
}

func told(n int) func([]call) bool {
	return func(calls []call) bool { return len(rectified(calls)) >= n }
}

// Somebody puts their data right: it is in force, what segments see follows, and whoever has received the old values is sent the new
// ones, in the form and for the purpose for which they got them, and as far as they still may. Nobody else is.
func TestRectificationReachesWhoHadTheOldValues(t *testing.T) {
	v := setupWith(t, soon)
	mailer, desk := v.receiveAs("crm-mailer", always(200), "marketing.*"), v.receiveAs("service-desk", always(200), "*")
	stranger := func(c call) int {
		if c.message.Type == privacy.EventSubjectRectified {
			t.Errorf("somebody is told who has received nothing: %s", c.body)
		}
		return 200
	}
	v.receiveAs("sales-desk", stranger, "*")
	v.receive(stranger, "*")
	const before, after = "wrong.spelling@example.com", "right.spelling@example.com"
	id := v.store(before, object{"email": before, "given_name": "Erna", "country": "DE", "birth_date": "1990-12-10", "city": "Kassel", "interests": []string{"wine"}})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email", "given_name"}, id)
	v.post("/v1/disclosures", v.token("service-desk", privacy.RoleConsumer), object{"purpose": "service.support", "attributes": []string{"email"}, "subjects": []object{{"id": id}}}, http.StatusOK)
	v.post("/v1/disclosures", v.token("sales-desk", privacy.RoleConsumer), object{"purpose": "sales.outreach", "attributes": []string{"email"}, "subjects": []object{{"id": id}}}, http.StatusOK) // withheld

	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"email": after, "city": "Göttingen"}}}, http.StatusCreated).into(t, &r)
	for client, receiver := range map[string]*receiver{"crm-mailer": mailer, "service-desk": desk} {
		c := rectified(receiver.wait(told(1)))[0].message.Data
		purpose := map[string]privacy.PurposeName{"crm-mailer": "marketing.email", "service-desk": "service.support"}[client]
		if c.Request != r.ID || len(c.Rectified) != 1 || c.Rectified[0].Purpose != purpose || string(c.Rectified[0].Attributes["email"]) != `"`+after+`"` || len(c.Rectified[0].Attributes) != 1 || len(c.Attributes) != 2 {
			t.Errorf("%s is told %+v", client, c)
		}
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Attributes["email"] != after {
		t.Errorf("disclosed is %+v", d)
	}
	var profile struct {
		Attributes []struct{ Name, Source string }
		Derived    []struct{ Name, Value string }
	}
	v.get("/v1/me/profile", v.self(id)).into(t, &profile)
	if !slices.Contains(profile.Derived, struct{ Name, Value string }{"city", "Göttingen"}) || !slices.Contains(profile.Attributes, struct{ Name, Source string }{"email", "rights_request"}) {
		t.Errorf("the profile is %+v", profile)
	}

	// Until they confirm it, the request waits for them.
	v.get("/v1/requests/"+r.ID, v.officer()).into(t, &r)
	if r.State != "awaiting_processors" || len(r.Processors) != 2 {
		t.Errorf("the request is %+v", r)
	}
	name, err := privacy.ParseRightsRequestID(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, receiver := range []*receiver{mailer, desk} {
		processor, err := privacy.ParseProcessorID(receiver.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.node.Rights.Acknowledge(t.Context(), custody.System(), []privacy.ProcessorID{processor}, []privacy.RightsRequestID{name}, rights.AcknowledgedByCallback); err != nil {
			t.Fatal(err)
		}
	}
	if done := v.closed(r.ID); done.State != "completed" {
		t.Errorf("confirmed: %+v", done)
	}

	// What may not be told any more is not told.
	v.consent(id, "marketing.email", "withdraw")
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"given_name": "Ernestina-Ottilie", "email": nil}}}, http.StatusCreated)
	c := rectified(mailer.wait(told(2)))[1].message.Data
	if len(c.Rectified) != 1 || len(c.Rectified[0].Attributes) != 0 || c.Rectified[0].Withheld["given_name"] != privacy.ReasonConsentWithdrawn {
		t.Errorf("after the withdrawal: %+v", c)
	}
	c = rectified(desk.wait(told(2)))[1].message.Data
	if c.Rectified[0].Withheld["email"] != privacy.ReasonNoValue {
		t.Errorf("of a value that was deleted: %+v", c)
	}

	listed := 0
	for _, d := range v.ownDisclosures(id, 100) {
		if d.Recipient.Client == "crm-mailer" {
			listed++
		}
	}
	if listed != 4 { // asked for twice, and told twice
		t.Errorf("the log lists %d disclosures to the mailer", listed)
	}
	var entries struct {
		Entries []struct{ Action, Object string }
	}
	v.get("/v1/audit/entries?subject="+id+"&object=request/"+r.ID, v.auditor()).into(t, &entries)
	actions := map[string]int{}
	for _, e := range entries.Entries {
		actions[e.Action]++
	}
	if actions["attributes.update"] != 1 || actions["request.rectify"] != 1 || actions["disclosure"] < 2 {
		t.Errorf("on record: %v", actions)
	}
	dump, logs := string(v.dump()), v.logs.String()
	for _, text := range []string{before, after, "Ernestina-Ottilie", "Göttingen"} {
		if strings.Contains(dump, text) || strings.Contains(dump, fmt.Sprintf("%x", text)) || strings.Contains(logs, text) {
			t.Errorf("%q is in clear", text)
		}
	}
}

// What others have recorded, and what the law follows from, an officer looks at first; what was worked out cannot be put right at all.
func TestRectificationThatNeedsALook(t *testing.T) {
	v := setup(t)
	id := v.store("looked@example.com", object{"email": "looked@example.com", "country": "DE", "birth_date": "1990-12-10", "orders_total": 3, "average_basket": 41.5})
	lodge := func(attributes object) (r rightsRequest) {
		t.Helper()
		v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": attributes, "text": "please look"}}, http.StatusCreated).into(t, &r)
		return r
	}
	value := func(name string) any {
		t.Helper()
		var profile struct {
			Attributes []struct {
				Name  string
				Value any
			}
		}
		v.get("/v1/me/profile", v.self(id)).into(t, &profile)
		for _, a := range profile.Attributes {
			if a.Name == name {
				return a.Value
			}
		}
		return nil
	}
	for name, body := range map[string]object{"by the subject": {"type": "rectification", "details": object{"attributes": object{"average_basket": 1}}},
		"among others": {"type": "rectification", "details": object{"attributes": object{"average_basket": 1, "email": "x@example.com"}}}} {
		if a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), body); a.status != http.StatusUnprocessableEntity || a.code() != "attribute_derived" {
			t.Errorf("what was worked out, %s: %d %s", name, a.status, a.body)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/requests", v.agent(), object{"type": "rectification", "subject": object{"id": id}, "details": object{"attributes": object{"recency_days": 1}}}); a.code() != "attribute_derived" {
		t.Errorf("what was worked out, by an agent: %d %s", a.status, a.body)
	}
	for attribute, right := range map[string]any{"orders_total": 4.0, "birth_date": "1991-12-10"} {
		old := value(attribute)
		refused := lodge(object{attribute: right})
		v.get("/v1/requests/"+refused.ID, v.officer()).into(t, &refused)
		if a := v.call(http.MethodGet, v.url+"/v1/requests/"+refused.ID+"/details", v.consumer(), nil); a.status != http.StatusForbidden {
			t.Errorf("a consumer reads what was asked: %d %s", a.status, a.body)
		}
		var said struct {
			Details []struct {
				Text       string
				Attributes map[string]any
			}
		}
		v.get("/v1/requests/"+refused.ID+"/details", v.officer()).into(t, &said)
		if len(said.Details) != 1 || said.Details[0].Attributes[attribute] != right || said.Details[0].Text != "please look" {
			t.Errorf("what was asked: %+v", said)
		}
		if err := v.node.Rights.CarryOut(t.Context(), v.ref(refused.ID, id)); err != nil {
			t.Fatal(err)
		}
		v.post("/v1/requests/"+refused.ID+"/reject", v.officer(), object{"ground": "unfounded_or_excessive"}, http.StatusOK)
		if got := value(attribute); got != old {
			t.Errorf("%s is %v although nobody has looked", attribute, got)
		}
		done := lodge(object{attribute: right})
		v.post("/v1/requests/"+done.ID+"/complete", v.officer(), object{}, http.StatusOK).into(t, &done)
		if got := value(attribute); done.State != "completed" || got != right {
			t.Errorf("%s is %v, the request %+v", attribute, got, done)
		}
		if a := v.call(http.MethodPost, v.url+"/v1/requests/"+done.ID+"/complete", v.officer(), object{}); a.code() != "request_closed" {
			t.Errorf("completed again: %d %s", a.status, a.body)
		}
	}
}

// ref names a request with its subject.
func (v *vault) ref(request, subject string) rights.Ref {
	v.t.Helper()
	id, err := privacy.ParseRightsRequestID(request)
	if err != nil {
		v.t.Fatal(err)
	}
	about, err := privacy.ParseSubjectID(subject)
	if err != nil {
		v.t.Fatal(err)
	}
	return rights.Ref{Subject: about, ID: id}
}
