package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// record is what tests look at of the record of processing activities.
type record struct {
	Revision   string
	Activities []struct {
		Purpose string
		Data    []struct{ Attribute, Mode string } `json:"personal_data"`
		Bases   []struct{ Regime, Basis string }   `json:"legal_bases"`
		PIPL    struct{ Required bool }            `json:"pipl_impact_assessment"`
	}
}

// mode gives the mode in which a purpose has an attribute, "" when it has not.
func (r *record) mode(purpose, attribute string) string {
	for _, activity := range r.Activities {
		for _, item := range activity.Data {
			if activity.Purpose == purpose && item.Attribute == attribute {
				return item.Mode
			}
		}
	}
	return ""
}

func TestRecordsOfProcessingAtAnyPastTime(t *testing.T) {
	t.Parallel()
	v := setup(t)
	before := time.Now().UTC()
	v.enact("No city for campaigns", object{"data": object{"matrix": object{"city": object{"marketing.email": nil}}}})

	var now, then record
	v.get("/v1/records-of-processing", v.officer()).into(t, &now)
	v.get("/v1/records-of-processing?at="+url.QueryEscape(before.Format(time.RFC3339Nano)), v.auditor()).into(t, &then)
	if now.Revision == then.Revision || now.mode("marketing.email", "city") != "" || then.mode("marketing.email", "city") != "generalise" || now.mode("marketing.email", "email") != "plain" {
		t.Errorf("now %q, then %q", now.mode("marketing.email", "city"), then.mode("marketing.email", "city"))
	}
	if len(now.Activities) < 7 || len(now.Activities[0].Bases) < 9 {
		t.Errorf("%d activities", len(now.Activities))
	}

	page := v.get("/v1/records-of-processing?format=html", v.officer())
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" || !strings.HasPrefix(page.header.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(string(page.body), "marketing.email") {
		t.Errorf("page: %s, %s", got, page.header.Get("Content-Security-Policy"))
	}
	table := v.get("/v1/records-of-processing?format=csv", v.officer())
	if got := table.header.Get("Content-Type"); got != "text/csv; charset=utf-8" || !strings.HasPrefix(string(table.body), "purpose,") {
		t.Errorf("table: %s %.100s", got, table.body)
	}
	for path, want := range map[string]int{
		"?at=2020-01-01T00:00:00Z":                    http.StatusNotFound,
		"?at=2999-01-01T00:00:00Z":                    http.StatusUnprocessableEntity,
		"?at=yesterday":                               http.StatusUnprocessableEntity,
		"?format=pdf":                                 http.StatusUnprocessableEntity,
		"?format=" + url.QueryEscape("<script>alert"): http.StatusUnprocessableEntity,
		"?purpose=marketing.email":                    http.StatusUnprocessableEntity,
	} {
		a := v.call(http.MethodGet, v.url+"/v1/records-of-processing"+path, v.officer(), nil)
		if a.status != want || strings.Contains(string(a.body), "script") || strings.Contains(string(a.body), "yesterday") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := v.call(http.MethodGet, v.url+"/v1/records-of-processing", v.consumer(), nil); a.status != http.StatusForbidden {
		t.Errorf("a consumer: %d", a.status)
	}
}

func TestPreviewOfADraft(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for i := range 55 {
		id := v.store(strings.Repeat("x", i+1)+"@example.com", object{"country": "DE"})
		v.consent(id, "marketing.email", "grant")
		v.disclose("marketing.email", []string{"city"}, id)
	}
	d := v.edit(v.begin("Cities"), object{"data": object{"matrix": object{"city": object{"marketing.email": "plain"}}}})
	path := drafts + "/" + d.ID + "/preview"
	var got struct {
		Population, Recorded struct {
			Changes []struct {
				Client, Purpose, Attribute, Effect, From, To string
				People                                       struct{ Count *int }
			}
		}
	}
	a := v.post(path, v.approver(), object{"days": 1}, http.StatusOK)
	a.into(t, &got)
	for name, changes := range map[string]int{"population": len(got.Population.Changes), "recorded": len(got.Recorded.Changes)} {
		if changes != 1 {
			t.Fatalf("%s: %d changes: %s", name, changes, a.body)
		}
	}
	for _, c := range append(got.Population.Changes, got.Recorded.Changes...) {
		if c.Client != "crm-mailer" || c.Attribute != "city" || c.Effect != "changed" || c.From != "generalise" || c.To != "plain" || c.People.Count == nil || *c.People.Count != 50 {
			t.Errorf("got %+v: %s", c, a.body)
		}
	}
	for body, want := range map[string]int{`{"days":-1}`: 422, `{"days":367}`: 422, `{"days":"many"}`: 422, `{"minimum":1}`: 422, `[]`: 422, `{`: 400} {
		if a := v.call(http.MethodPost, v.url+path, v.officer(), body); a.status != want || strings.Contains(string(a.body), "many") {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := v.call(http.MethodPost, v.url+drafts+"/"+newID+"/preview", v.officer(), `{}`); a.code() != "draft_not_found" {
		t.Errorf("no such draft: %d %s", a.status, a.body)
	}
	for _, role := range []privacy.Role{privacy.RoleConsumer, privacy.RoleSteward, privacy.RoleAuditor} {
		if a := v.call(http.MethodPost, v.url+path, v.token("somebody", role), `{}`); a.status != http.StatusForbidden {
			t.Errorf("a %s: %d", role, a.status)
		}
	}
	var entries struct {
		Entries []struct{ Action, Object string }
	}
	v.get("/v1/audit/entries?client=anton&limit=5", v.auditor()).into(t, &entries)
	if len(entries.Entries) != 1 || entries.Entries[0].Action != "policy.preview" || !strings.Contains(entries.Entries[0].Object, d.ID) {
		t.Errorf("on record: %+v", entries)
	}
	// A draft that does not compile is told so, without a count.
	broken := v.edit(v.begin("Broken"), object{"modules": object{"matrix.rego": "package consentry.matrix\n\nmode("}})
	if a := v.call(http.MethodPost, v.url+drafts+"/"+broken.ID+"/preview", v.officer(), `{}`); a.code() != "invalid_policy" || json.Valid(a.body) && strings.Contains(string(a.body), "count") {
		t.Errorf("broken: %d %s", a.status, a.body)
	}
}

const newID = "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"

// Processors are recipients, for the purposes that they serve and for as long as they are in use.
func TestRecordsOfProcessingNameProcessors(t *testing.T) {
	t.Parallel()
	v := setup(t)
	before := time.Now().UTC()
	var made struct {
		ID      string
		Version int
	}
	v.post("/v1/processors", v.officer(), object{"name": "Mail House", "contact": "privacy desk", "url": "https://hooks.mailhouse.example/consent", "purposes": []string{"marketing.email"},
		"country": "US", "agreement": "DPA-2026-014"}, http.StatusCreated).into(t, &made)
	recipients := func(at string) map[string]string {
		t.Helper()
		var r struct {
			Activities []struct {
				Purpose    string
				Recipients []struct{ Name, Kind, Country, Agreement string }
				Transfers  []struct{ Country, Recipient string }
			}
		}
		v.get("/v1/records-of-processing"+at, v.officer()).into(t, &r)
		found := map[string]string{}
		for _, activity := range r.Activities {
			for _, recipient := range activity.Recipients {
				if recipient.Name == "Mail House" {
					found[activity.Purpose] = recipient.Kind + " " + recipient.Country + " " + recipient.Agreement
				}
			}
			for _, transfer := range activity.Transfers {
				if transfer.Recipient == "Mail House" {
					found[activity.Purpose] += " to " + transfer.Country
				}
			}
		}
		return found
	}
	if got := recipients(""); len(got) != 1 || got["marketing.email"] != "processor US DPA-2026-014 to US" {
		t.Errorf("in use: %v", got)
	}
	if got := recipients("?at=" + url.QueryEscape(before.Format(time.RFC3339Nano))); len(got) != 0 {
		t.Errorf("before: %v", got)
	}
	if table := string(v.get("/v1/records-of-processing?format=csv", v.officer()).body); !strings.Contains(table, "Mail House (processor, US, DPA-2026-014)") {
		t.Errorf("table: %s", table)
	}
	during := time.Now().UTC()
	v.post("/v1/processors/"+made.ID+"/retire", v.officer(), object{"version": made.Version}, http.StatusOK)
	if got := recipients(""); len(got) != 0 {
		t.Errorf("retired: %v", got)
	}
	if got := recipients("?at=" + url.QueryEscape(during.Format(time.RFC3339Nano))); len(got) != 1 {
		t.Errorf("while it was in use: %v", got)
	}
}
