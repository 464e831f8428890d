package e2e_test

import (
	"net/http"
	"slices"
	"testing"
)

// A disclosure is decided before something is done about the person, and comes on record after it. Either nothing is released by the old state
// of things, or whoever got it is among those who are told.
func TestDisclosureUnderWayDoesNotSlipPastAnOrder(t *testing.T) {
	for kind, ask := range map[string]object{
		"erasure":           {"type": "erasure"},
		"erasure of a part": {"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}},
		"rectification":     {"type": "rectification", "details": object{"attributes": object{"given_name": "Augusta"}}},
		"restriction":       {"type": "restriction"},
		"withdrawal":        {"type": "withdrawal"},
	} {
		t.Run(kind, func(t *testing.T) {
			v := setupWith(t, soon)
			v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"sales.outreach"}})
			id := v.store("under.way@example.com", object{"email": "under.way@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")

			recording := v.transaction() // keeps decisions that were not taken before from coming on record
			v.exec(recording, `LOCK TABLE decision IN SHARE MODE`)
			type answer struct {
				disclosed disclosed
				status    int
			}
			answered := make(chan answer, 1)
			go func() {
				a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), object{"purpose": "marketing.email", "attributes": []string{"email", "given_name"}, "subjects": []object{{"id": id}}})
				got := answer{status: a.status}
				if a.status == http.StatusOK {
					a.into(t, &got.disclosed)
				}
				answered <- got
			}()
			v.waitForLock(`decision`)
			var r rightsRequest
			v.post("/v1/me/requests", v.self(id), ask, http.StatusCreated).into(t, &r)
			waitUntil(t, func() bool {
				r = v.requestOf(r.ID)
				return r.State == "completed" || r.State == "awaiting_processors"
			})
			if err := recording.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := <-answered
			if got.status != http.StatusOK {
				t.Fatalf("the disclosure: %d", got.status)
			}
			d := got.disclosed.Disclosures[0]
			old := d.Attributes["given_name"] == "Ada" || kind != "rectification" && kind != "erasure of a part" && len(d.Attributes) > 0
			if told := slices.ContainsFunc(v.requestOf(r.ID).Processors, func(p requestProcessor) bool { return p.Name == "CRM" }); old && !told {
				t.Errorf("released is %v, and who got it is not told", d.Attributes)
			}
			if kind == "rectification" && d.Attributes["given_name"] != "Augusta" {
				t.Errorf("released is %v", d.Attributes)
			}
		})
	}
}
