package events_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/privacy"
)

// The feed shows an application the events of the purposes it is granted, and an officer all of them.
func TestFeedShowsWhatIsGranted(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com")
	record := func(purpose privacy.PurposeName, action privacy.ConsentAction) {
		if _, err := v.custody.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: purpose, Action: action}, custody.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	record("marketing.email", privacy.ActionGrant)
	record("sales.outreach", privacy.ActionGrant)
	record("marketing.*", privacy.ActionObject)
	record("sales.outreach", privacy.ActionObject)
	if _, err := v.store.Relay(t.Context(), 100, v.clock.Read(), 0); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller custody.Caller
		want   []string
	}{
		"officer":    {officer, []string{"policy.published ", "consent.granted marketing.email", "consent.granted sales.outreach", "objection.recorded marketing.*", "objection.recorded sales.outreach"}},
		"crm-mailer": {consumer, []string{"policy.published ", "consent.granted marketing.email", "objection.recorded marketing.*"}},
		"a stranger": {custody.Caller{Caller: privacy.Caller{Client: "stranger", Roles: []privacy.Role{privacy.RoleConsumer}}}, []string{"policy.published "}},
	} {
		var got []string
		var cursor events.Cursor
		for {
			page, err := v.Feed(t.Context(), c.caller, cursor, 2, 0)
			if err != nil {
				t.Fatal(err)
			}
			if cursor = page.Cursor; len(page.Events) == 0 {
				break
			}
			for _, e := range page.Events {
				got = append(got, string(e.Type)+" "+string(e.Data.Purpose))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || cursor != 6 { // with the one by which nodes learn of the subject
			t.Errorf("%s sees %q up to %d", name, got, cursor)
		}
	}
}

// Who waits for an event is let go once the process is told to stop, with nothing and without an error.
func TestFeedWaitsNoLongerThanTheProcess(t *testing.T) {
	t.Parallel()
	v := setup(t)
	v.custody.EndWaits()
	page, err := v.Feed(t.Context(), officer, 1<<40, 10, time.Hour)
	if err != nil || len(page.Events) != 0 || page.Cursor != 1<<40 {
		t.Errorf("%+v, %v", page, err)
	}
}
