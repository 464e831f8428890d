package e2e_test

import (
	"bytes"
	"net/http"
	"testing"
)

// A request to correct a value holds the value. When it is erased it is gone from there too: from requests that are done, and from one
// that is still open, which would write it back and keeps what else it says.
func TestErasureOfAPartForgetsWhatWasSaid(t *testing.T) {
	v := setup(t)
	id := v.store("said@example.com", object{"email": "said@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	lodge := func(body object, state string) (r rightsRequest) {
		t.Helper()
		v.post("/v1/me/requests", v.self(id), body, http.StatusCreated).into(t, &r)
		waitUntil(t, func() bool { r = v.requestOf(r.ID); return r.State == state })
		return r
	}
	done := lodge(object{"type": "rectification", "details": object{"attributes": object{"given_name": "Adele"}}}, "completed")
	open := lodge(object{"type": "rectification", "details": object{"attributes": object{"given_name": "Adelheid", "birth_date": "1991-12-10"}}}, "in_progress")
	for _, backups := range []bool{false, true} {
		lodge(object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": backups}}}, "completed")
		for name, request := range map[string]string{"done": done.ID, "open": open.ID} {
			details := v.get("/v1/requests/"+request+"/details", v.officer()).body
			if bytes.Contains(details, []byte("Adel")) || bytes.Contains(details, []byte("1991-12-10")) != (name == "open") {
				t.Errorf("what the request that is %s says: %s", name, details)
			}
		}
	}
	v.post("/v1/requests/"+open.ID+"/complete", v.officer(), object{}, http.StatusOK)
	waitUntil(t, func() bool { return v.requestOf(open.ID).State == "completed" })
	v.consent(id, "service.support", "grant")
	if d := v.disclose("service.support", []string{"given_name"}, id).Disclosures[0]; len(d.Attributes) != 0 {
		t.Errorf("after the erasure: %v", d.Attributes)
	}
}
