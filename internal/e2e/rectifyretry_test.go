package e2e_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// A receiver is away while somebody puts their data right. Each attempt to tell it is decided anew, so that a withdrawal counts from the next
// one on; but the person's log lists what was decided once, not once for each attempt.
func TestRectificationTriedAgainIsOnRecordOnce(t *testing.T) {
	v := setupWith(t, soon)
	const after = "right.again@example.com"
	withValue, without, up := make(chan struct{}), make(chan struct{}), make(chan struct{})
	comeBack := sync.OnceFunc(func() { close(up) })
	defer comeBack()
	mailer := v.receiveAs("crm-mailer", func(c call) int {
		if c.message.Type != privacy.EventSubjectRectified {
			return http.StatusOK
		}
		came := without
		if c.message.Data.Rectified[0].Attributes["email"] != nil {
			came = withValue
		}
		select {
		case came <- struct{}{}:
			return http.StatusServiceUnavailable
		case <-up:
			return http.StatusOK
		}
	}, "marketing.*")
	id := v.store("wrong.again@example.com", object{"email": "wrong.again@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email"}, id)
	mailer.wait(count(1))

	onRecord := func(request string) (decisions []string) {
		var entries struct {
			Entries []struct{ Action, Decision string }
		}
		v.get("/v1/audit/entries?limit=100&object=request/"+request, v.auditor()).into(t, &entries)
		for _, e := range entries.Entries {
			if e.Action == "disclosure" {
				decisions = append(decisions, e.Decision)
			}
		}
		return decisions
	}
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"email": after}}}, http.StatusCreated).into(t, &r)
	const tries = 6
	for range tries {
		<-withValue
		if n := len(onRecord(r.ID)); n != 1 {
			t.Fatalf("%d entries while the receiver has a value in its hands", n)
		}
	}
	v.consent(id, "marketing.email", "withdraw")
	for refused, late := 0, 0; refused < tries; {
		select {
		case <-without:
			refused++
		case <-withValue: // it was decided on before
			if late++; late > 1 || refused > 0 {
				t.Fatal("the value is sent on after the withdrawal")
			}
		}
	}
	if decisions := onRecord(r.ID); len(decisions) != 2 || decisions[0] == decisions[1] {
		t.Errorf("on record: %v", decisions)
	}
	comeBack()
	if told := rectified(mailer.wait(told(1)))[0].message.Data.Rectified[0]; len(told.Attributes) != 0 || told.Withheld["email"] != privacy.ReasonConsentWithdrawn {
		t.Errorf("told at last: %+v", told)
	}
	if all := v.ownDisclosures(id, 100); len(all) != 3 { // asked for once, and decided on twice since
		t.Errorf("their log lists %d disclosures: %+v", len(all), all)
	}
}
