package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Where the law counts from when it is known who asks, so does the extension; and who moves meanwhile does not take the request along.
func TestExtensionCountsFromWhereTimeBegan(t *testing.T) {
	time0 := &clock{}
	v := setupWith(t, time0.set)
	id := v.store("london@example.com", object{"country": "GB", "birth_date": "1990-12-10"})
	var r rightsRequest
	v.post("/v1/requests", v.agent(), object{"type": "rectification", "subject": object{"id": id}, "details": object{"text": "it is all wrong"}}, http.StatusCreated).into(t, &r)
	time0.pass(12 * 24 * time.Hour)
	r = v.verify(r.ID, v.token("back-office", privacy.RoleAgent), http.StatusOK)
	due := r.DueAt
	if r.Regime != "uk_gdpr" || due.Sub(time0.now()) < 27*24*time.Hour {
		t.Fatalf("the time of the request does not begin with the proof: %+v", r)
	}
	v.store("london@example.com", object{"country": "CN"})
	v.post("/v1/requests/"+r.ID+"/extend", v.officer(), object{"reason": "complexity"}, http.StatusOK).into(t, &r)
	if off := r.DueAt.Sub(due.AddDate(0, 2, 0)).Abs(); off > 4*24*time.Hour {
		t.Errorf("due at %v, extended to %v", due, r.DueAt)
	}
}
