package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// ownDisclosures pages through what a subject is told of who received their data.
func (v *vault) ownDisclosures(id string, page int) (all []ownDisclosure) {
	v.t.Helper()
	for cursor := ""; ; {
		var answer struct {
			Disclosures []ownDisclosure
			Cursor      string
		}
		v.get(fmt.Sprintf("/v1/me/disclosures?limit=%d&cursor=%s", page, cursor), v.self(id)).into(v.t, &answer)
		all = append(all, answer.Disclosures...)
		if cursor = answer.Cursor; cursor == "" {
			return all
		}
	}
}

type ownDisclosure struct {
	ID        string
	Recipient struct{ Client string }
	Purpose   struct{ Name string }

	Attributes map[string]string
}

// Hundreds of disclosures by several clients, about one person alone and in lists of up to a thousand, many of them at once: the log
// that the person sees has each of them exactly once, and so has the file they take away.
func TestAccessLogListsEachDisclosureOnce(t *testing.T) {
	v := setup(t)
	people := v.townsfolk("Linz", 999)
	id := v.store("logged@example.com", object{"email": "logged@example.com", "country": "DE", "city": "Linz"})
	v.consent(id, "marketing.email", "grant")
	callers := []struct{ client, purpose, token string }{
		{"crm-mailer", "marketing.email", v.consumer()}, {"crm-mailer", "marketing.sms", v.consumer()},
		{"service-desk", "service.support", v.agent()}, {"ads-desk", "ads.personalised", v.token("ads-desk", privacy.RoleConsumer)},
	}
	const disclosures = 360
	want, random := map[string]int{}, rand.New(rand.NewPCG(1, 2))
	requests := make(chan func(), disclosures)
	for i := range disclosures {
		by, size := callers[i%len(callers)], 1
		switch {
		case i%12 == 0:
			size = 1000
		case i%5 == 0:
			size = 2 + random.IntN(20)
		}
		refs := slices.Clone(people[:size-1])
		refs = slices.Insert(refs, random.IntN(size), object{"id": id})
		want[by.client+" "+by.purpose]++
		requests <- func() {
			a := v.call(http.MethodPost, v.url+"/v1/disclosures", by.token, object{"purpose": by.purpose, "attributes": []string{"email", "city"}, "subjects": refs})
			if a.status != http.StatusOK {
				t.Errorf("status %d: %.300s", a.status, a.body)
			}
		}
	}
	close(requests)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for request := range requests {
				request()
			}
		})
	}
	running.Wait()

	listed := v.ownDisclosures(id, 37)
	seen, got := map[string]bool{}, map[string]int{}
	for _, d := range listed {
		if seen[d.ID] {
			t.Errorf("%s is listed twice", d.ID)
		}
		seen[d.ID] = true
		got[d.Recipient.Client+" "+d.Purpose.Name]++
		if released := len(d.Attributes) > 0; released != (d.Purpose.Name == "marketing.email" || d.Purpose.Name == "service.support") {
			t.Errorf("%+v", d)
		}
	}
	if len(listed) != disclosures || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d are listed: %v, want %v", len(listed), got, want)
	}
	data, _ := v.takeAway(v.askFor("access", id), id)
	if len(data.Disclosures) != disclosures {
		t.Errorf("%d are in the file", len(data.Disclosures))
	}
	for i, d := range data.Disclosures {
		if !seen[d.ID] || i < len(listed) && d.ID != listed[i].ID {
			t.Fatalf("the file has %s as number %d", d.ID, i)
		}
	}
	if others := v.ownDisclosures(v.store("nobody.asked@example.com", object{"country": "DE"}), 100); len(others) != 0 {
		t.Errorf("somebody else is shown %v", others)
	}
}

// A subject sees what is held about them, and nobody else does: /v1/me has no way to name anybody, and looking changes nothing but the
// record of having looked.
func TestOwnDataIsOnesOwn(t *testing.T) {
	v := setup(t)
	id := v.store("mine@example.com", object{"email": "mine@example.com", "country": "DE", "birth_date": "1990-12-10", "average_basket": 41.5})
	v.store("yours@example.com", object{"email": "yours@example.com", "country": "DE"})
	v.consent(id, "marketing.email", "grant")
	before := v.rows(t)
	var profile struct {
		ID         string
		Attributes []struct {
			Name, Title, Source, Derivation string
			Value                           any
			KeptUntil                       string `json:"kept_until"`
		}
		Identifiers []struct{ Type, Value string }
		Derived     []struct{ Name, Value string }
	}
	v.get("/v1/me/profile", v.self(id)).into(t, &profile)
	if profile.ID != id || len(profile.Attributes) != 4 || len(profile.Identifiers) != 1 || profile.Identifiers[0].Value != "mine@example.com" || len(profile.Derived) == 0 {
		t.Errorf("the profile is %+v", profile)
	}
	for _, a := range profile.Attributes {
		if a.Name == "email" && (a.Value != "mine@example.com" || a.Title != "Email address" || a.Source != "test" || a.KeptUntil == "") ||
			a.Name == "average_basket" && (a.Value != 41.5 || a.Derivation == "") {
			t.Errorf("%+v", a)
		}
	}
	var consents struct {
		Consents []struct{ Purpose, Status string }
	}
	v.get("/v1/me/consents", v.self(id)).into(t, &consents)
	var history struct{ Records []struct{ Action string } }
	v.get("/v1/me/consents/history", v.self(id)).into(t, &history)
	if len(consents.Consents) != 1 || consents.Consents[0].Status != "granted" || len(history.Records) != 1 {
		t.Errorf("consents %+v, history %+v", consents, history)
	}
	if after := v.rows(t); after != before {
		t.Errorf("looking wrote something: %s, before %s", after, before)
	}
	for _, path := range []string{"profile", "consents", "consents/history", "disclosures", "exports", "requests"} {
		for name, token := range map[string]string{"an officer": v.officer(), "a steward": v.steward(), "an agent": v.agent(), "a consumer": v.consumer()} {
			if a := v.call(http.MethodGet, v.url+"/v1/me/"+path, token, nil); a.status != http.StatusForbidden {
				t.Errorf("%s reads %s: %d %s", name, path, a.status, a.body)
			}
		}
		if a := v.call(http.MethodGet, v.url+"/v1/me/"+path+"?subject="+id, v.self(id), nil); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s takes a subject: %d %s", path, a.status, a.body)
		}
	}
	var entries struct{ Entries []struct{ Action string } }
	v.get("/v1/audit/entries?subject="+id, v.auditor()).into(t, &entries)
	if entries.Entries[0].Action != "profile.read" {
		t.Errorf("on record: %+v", entries.Entries)
	}
}
