package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// event is one of the feed.
type event struct {
	ID   string
	Type privacy.EventKind
	Data struct {
		Revision string
		Sequence int64
	}
}

// policyEvents waits until the feed has so many events about the policy, and gives them.
func (v *vault) policyEvents(n int) []event {
	v.t.Helper()
	var about []event
	waitUntil(v.t, func() bool {
		var page struct{ Events []event }
		v.get("/v1/events?limit=1000", v.officer()).into(v.t, &page)
		about = slices.DeleteFunc(page.Events, func(e event) bool {
			return e.Type != privacy.EventPolicyPublished && e.Type != privacy.EventPolicyRolledBack
		})
		return len(about) >= n
	})
	return about
}

// Who is registered is called when a revision comes into force and when an earlier one does again, and the feed has the same.
func TestPublicationsAreToldOf(t *testing.T) {
	v := setupWith(t, soon)
	before := v.inForce()
	r := v.receive(always(204), "marketing.*")
	published := v.enact("Only the year", `{"data":{"matrix":{"birth_date":{"marketing.email":null}}}}`)
	first := r.wait(count(1))[0]
	v.post(revisions+"/"+before+"/rollback", v.officer(), object{"reason": "The year is needed"}, http.StatusOK)
	calls := r.wait(count(2))
	if len(calls) != 2 {
		t.Errorf("%d calls", len(calls))
	}
	second := calls[1]
	feed := v.policyEvents(3)[1:] // the first one is of the policy that the vault began with
	for i, want := range []struct {
		got      call
		kind     privacy.EventKind
		revision string
	}{{first, privacy.EventPolicyPublished, published.Revision}, {second, privacy.EventPolicyRolledBack, before}} {
		m := want.got.message
		if m.Type != want.kind || string(m.Data.Revision) != want.revision || m.Data.Subject != "" || m.Data.Purpose != "" {
			t.Errorf("call %d says %s", i+1, want.got.body)
		}
		if e := feed[i]; e.ID != want.got.id || e.Type != want.kind || e.Data.Revision != want.revision || e.Data.Sequence != m.Data.Sequence {
			t.Errorf("event %d of the feed says %+v, the call %s", i+1, e, want.got.body)
		}
	}
}

// A revision that nobody could be told of does not come into force, and no event tells of one that did not.
func TestPublicationAndItsEventAreOne(t *testing.T) {
	v := setup(t)
	before := v.inForce()
	owner := v.connect()
	d := v.approve(v.submit(v.edit(v.begin("Only the year"), `{"data":{"matrix":{"birth_date":{"marketing.email":null}}}}`)))
	publish := func() answer {
		return v.step(http.MethodPost, drafts+"/"+d.ID+"/publish", v.approver(), "", nil)
	}
	for what, broken := range map[string]string{
		"without the outbox":      `change ADD CONSTRAINT broken CHECK (kind <> 'policy.published') NOT VALID`,
		"without the publication": `publication ADD CONSTRAINT broken CHECK (draft_id IS NULL) NOT VALID`,
		"without the audit entry": `audit_entry ADD CONSTRAINT broken CHECK (action <> 'policy.publish') NOT VALID`,
	} {
		sql(t, owner, `ALTER TABLE `+broken)
		if a := publish(); a.status < 500 || v.inForce() != before {
			t.Errorf("%s: status %d, in force is %s", what, a.status, v.inForce())
		}
		table, _, _ := strings.Cut(broken, " ")
		sql(t, owner, `ALTER TABLE `+table+` DROP CONSTRAINT broken`)
	}
	if a := publish(); a.status != http.StatusOK {
		t.Fatalf("afterwards: %d %s", a.status, a.body)
	}
	if feed := v.policyEvents(2); len(feed) != 2 || feed[1].Data.Revision != d.Revision || v.inForce() != d.Revision {
		t.Errorf("the feed has %+v", feed)
	}
}

// When a purpose comes to ask for a newer notice, what was given on an older one does not count any more and is asked for again; it
// counts again once the person has seen the newer one.
func TestNewerNoticeIsAskedFor(t *testing.T) {
	v := setup(t)
	id := v.store("ada@example.com", object{"given_name": "Ada", "country": "DE"})
	v.publishNotice("marketing.email", 1, "We write to you.")
	v.publishNotice("marketing.email", 2, "We write to you, and so do our partners.")
	type stands struct {
		Status   string
		AskAgain bool `json:"ask_again"`
	}
	grant := func(version int) (s stands) {
		t.Helper()
		v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "notice": object{"id": "marketing.email", "version": version}}, http.StatusCreated).into(t, &s)
		return s
	}
	want := func(when string, askAgain bool, withheld string) {
		t.Helper()
		for who, token := range map[string]string{"a steward": v.steward(), "the person": v.issuer.SubjectToken(t, "portal", mustID(t, id))} {
			var list struct{ Consents []stands }
			v.get("/v1/subjects/"+id+"/consents", token).into(t, &list)
			if len(list.Consents) != 1 || list.Consents[0].Status != "granted" || list.Consents[0].AskAgain != askAgain {
				t.Errorf("%s, %s is told %+v", when, who, list)
			}
		}
		if d := v.disclose("marketing.email", []string{"given_name"}, id).Disclosures[0]; d.Withheld["given_name"] != withheld || (d.Attributes["given_name"] == "Ada") != (withheld == "") {
			t.Errorf("%s: %+v", when, d)
		}
	}
	if s := grant(1); s.Status != "granted" || s.AskAgain {
		t.Errorf("the first grant: %+v", s)
	}
	want("before", false, "")
	before := v.inForce()
	v.enact("Partners write, too", `{"data":{"purposes":{"marketing.email":{"minimum_notice_version":2}}},"tests":{"cases":[{"name":"the second notice counts",
		"input":{"client":"crm-mailer","purpose":"marketing.email","attributes":["given_name"]},"subject":{"regime":"gdpr"},"consent":{"status":"granted","notice_version":2},"permitted":{"given_name":"plain"}}]}}`)
	want("once version 2 is asked for", true, "notice_outdated")
	if s := grant(1); !s.AskAgain {
		t.Errorf("a grant on the old notice: %+v", s)
	}
	want("granted on the old notice again", true, "notice_outdated")
	if s := grant(2); s.Status != "granted" || s.AskAgain {
		t.Errorf("a grant on the new notice: %+v", s)
	}
	want("granted on the new notice", false, "")
	v.post(revisions+"/"+before+"/rollback", v.officer(), object{"reason": "No partners"}, http.StatusOK)
	want("rolled back", false, "")
}
