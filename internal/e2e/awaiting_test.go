package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// A request waits until each of those who were told has said that it is done. To have accepted the event, or to have read it in the feed, is
// not to say so. One that got the person in a long list is told like one that asked for them alone, and one that is not called
// is told as well; of one that is retired there is nobody left to tell.
func TestRequestWaitsForEachWhoWasTold(t *testing.T) {
	v := setupWith(t, soon)
	mail := v.downstream(always(http.StatusOK), nil)
	crm := v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"service.support"}, "url": ""})
	retired := v.downstream(always(http.StatusOK), object{"name": "Retired"})
	v.post("/v1/processors/"+retired.id+"/retire", v.officer(), object{"version": 1}, http.StatusOK)
	others := make([]string, 20)
	for i := range others {
		others[i] = v.store(fmt.Sprintf("listed-%d@example.com", i), object{"country": "DE"})
	}
	for _, kind := range []string{"restriction", "withdrawal", "erasure"} {
		id := v.store(kind+"@example.com", object{"email": kind + "@example.com", "country": "DE", "birth_date": "1990-12-10"})
		v.consent(id, "marketing.email", "grant")
		v.disclose("marketing.email", []string{"email"}, append([]string{id}, others...)...)
		var r rightsRequest
		v.post("/v1/me/requests", v.self(id), object{"type": kind}, http.StatusCreated).into(t, &r)
		waits := func(when string, confirmed int) {
			t.Helper()
			if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil {
				t.Errorf("%s, %s: %v", kind, when, err)
			}
			now, n := v.requestOf(r.ID), 0
			for _, p := range now.Processors {
				if p.AcknowledgedAt != nil {
					n++
				}
			}
			if now.State != "awaiting_processors" || len(now.Processors) != 2 || n != confirmed || now.Certificate {
				t.Errorf("%s, %s: %+v", kind, when, now)
			}
		}
		waitUntil(t, func() bool {
			for _, p := range v.requestOf(r.ID).Processors {
				if p.Name == "Mail House" {
					return p.Delivery == "delivered"
				}
			}
			return false
		})
		waits("accepted", 0)
		waitUntil(t, func() bool { // what is not called reads the feed
			for _, event := range []privacy.EventKind{privacy.EventSubjectRestricted, privacy.EventSubjectWithdrawn, privacy.EventSubjectErased} {
				for _, e := range v.feed(v.consumer(), event) {
					if e.Data.Request == r.ID {
						return true
					}
				}
			}
			return false
		})
		waits("read", 0)
		if a := v.acknowledge(mail, callback{body: naming(r.ID), at: time.Now()}); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", kind, a.status, a.body)
		}
		waits("confirmed by one of two", 1)
		v.post("/v1/events/acknowledgements", v.consumer(), object{"requests": []string{r.ID}}, http.StatusOK)
		if r = v.closed(r.ID); r.State != "completed" {
			t.Errorf("%s: %+v", kind, r)
		}
	}
	if calls := crm.heard(); calls != "" {
		t.Errorf("one without an address is called: %s", calls)
	}
}

// Who asked for somebody and was refused has nothing of them, and is not told who is erased.
func TestNobodyIsToldOfWhomTheyGotNothing(t *testing.T) {
	v := setupWith(t, soon)
	v.get("/v1/events?wait=30", v.token("officer", privacy.RoleOfficer)) // the policy's publication is in the log, and past
	crm := v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"service.support"}})
	id := v.store("refused@example.com", object{"email": "refused@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.disclose("marketing.email", []string{"email"}, id)
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	if r = v.closed(r.ID); r.State != "completed" || len(r.Processors) != 0 {
		t.Errorf("the erasure: %+v", r)
	}
	if calls := crm.heard(); calls != "" {
		t.Errorf("who got nothing is told: %s", calls)
	}
}
