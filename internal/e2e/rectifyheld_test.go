package e2e_test

import (
	"net/http"
	"testing"
)

// What has to be kept is not done away with by somebody's own word: while a hold stands an officer looks at what they put right, and
// afterwards it is their own affair again.
func TestHoldKeepsWhatWouldBePutRight(t *testing.T) {
	v := setup(t)
	id := v.store("kept@example.com", object{"email": "kept@example.com", "given_name": "Erna", "family_name": "Kraft", "country": "DE", "birth_date": "1990-12-10"})
	var hold struct{ ID string }
	v.post("/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	held := func() (names map[string]any) {
		var profile struct {
			Attributes []struct {
				Name  string
				Value any
			}
		}
		v.get("/v1/me/profile", v.self(id)).into(t, &profile)
		names = make(map[string]any)
		for _, a := range profile.Attributes {
			names[a.Name] = a.Value
		}
		return names
	}
	put := func(attributes object) (r rightsRequest) {
		v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": attributes}}, http.StatusCreated).into(t, &r)
		if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil {
			t.Fatal(err)
		}
		return v.requestOf(r.ID)
	}
	r := put(object{"family_name": nil, "given_name": "Nobody"})
	if h := held(); r.State != "in_progress" || h["family_name"] != "Kraft" || h["given_name"] != "Erna" {
		t.Errorf("while it is held: %+v, %+v", r, h)
	}
	v.post("/v1/requests/"+r.ID+"/complete", v.officer(), object{}, http.StatusOK).into(t, &r)
	if h := held(); r.State != "completed" || h["family_name"] != nil || h["given_name"] != "Nobody" {
		t.Errorf("once an officer has looked: %+v, %+v", r, h)
	}
	r = put(object{"given_name": "Erna"})
	v.post("/v1/subjects/"+id+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil {
		t.Fatal(err)
	}
	if h := held(); v.requestOf(r.ID).State != "completed" || h["given_name"] != "Erna" {
		t.Errorf("once the hold has ended: %+v", h)
	}
}

// What was asked before an erasure and not carried out by then is closed as not done, instead of waiting for ever or looking as if it were done.
func TestErasedBeforeTheAnswer(t *testing.T) {
	v := setup(t)
	id := v.store("gone@example.com", object{"email": "gone@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var r, erasure rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"text": "it is all wrong"}}, http.StatusCreated).into(t, &r)
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &erasure)
	v.closed(erasure.ID)
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+r.ID+"/complete", v.officer(), object{}); a.status != http.StatusNotFound && a.code() != "request_closed" {
		t.Errorf("an officer completes it: %d %s", a.status, a.body) // 404 before, 409 once its job has seen the erasure
	}
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil {
		t.Error(err)
	}
	if r = v.requestOf(r.ID); r.State != "rejected" || r.Ground != "subject_erased" {
		t.Errorf("in the end: %+v", r)
	}
}
