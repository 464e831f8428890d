package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// An officer's week: a new purpose, a cell that forgets a mode, a case that says so, the fix, the counts, a
// refused approval of one's own, the approval, the publication, a decision that changed, the way back, and the
// trail that tells all of it.
func TestOfficersWeek(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("week@example.com")
	before := v.inForce()
	ask := func() disclosed { return v.disclose("marketing.surveys", []string{"email"}, id) }

	// Monday: a purpose for surveys. The client has all of marketing, the new purpose with it; the cell says plain.
	d := v.begin("Surveys")
	d = v.edit(d, `{"data":{"purposes":{"marketing.surveys":{"title":{"en":"Customer surveys","zh":"客户调查"},"dpv":"https://w3id.org/dpv#DirectMarketing","category":"marketing",
		"basis":{"default":"consent"},"marketing":true,"profiling":false,"automated_decision":false,"cross_context":false,"online_platform":false,"minimum_notice_version":1,"notice":"marketing.surveys","channel":"email"}},
		"matrix":{"email":{"marketing.surveys":"plain"}}}}`)

	// Tuesday: what is expected is written down, and does not hold.
	d = v.edit(d, `{"tests":{"cases":[{"name":"surveys see a masked address","input":{"client":"crm-mailer","purpose":"marketing.surveys","attributes":["email"]},
		"subject":{"regime":"gdpr"},"consent":{"status":"granted","notice_version":1},"permitted":{"email":"mask"}}]}}`)
	report := func() string {
		return string(v.post(drafts+"/"+d.ID+"/test", v.officer(), nil, http.StatusOK).body)
	}
	if text := report(); !strings.Contains(text, `"pass":false`) || !strings.Contains(text, `"differ":["email"]`) {
		t.Fatalf("the case holds: %s", text)
	}
	v.wantProblem(t, v.step(http.MethodPost, drafts+"/"+d.ID+"/submit", v.officer(), tag(d), nil), http.StatusUnprocessableEntity, "tests_failed")

	// Wednesday: the fix, what it changes in words, and for how many.
	d = v.edit(d, `{"data":{"matrix":{"email":{"marketing.surveys":"mask"}}}}`)
	if text := report(); !strings.Contains(text, `"pass":true`) {
		t.Fatalf("the case fails: %s", text)
	}
	if words := string(v.get(drafts+"/"+d.ID+"/diff", v.officer()).body); !strings.Contains(words, "marketing.surveys") || !strings.Contains(words, "crm-mailer") {
		t.Errorf("the difference: %s", words)
	}
	v.post(drafts+"/"+d.ID+"/preview", v.officer(), object{}, http.StatusOK)

	// Thursday: submitted; the author's own approval is refused, somebody else's is not.
	d = v.submit(d)
	self := v.issuer.PersonToken(t, "console", "olga", "officer", "approver") // whoever works through another client is still who they are
	v.wantProblem(t, v.step(http.MethodPost, drafts+"/"+d.ID+"/approve", self, "", object{"revision": d.Revision}), http.StatusForbidden, "own_draft")
	d = v.approve(d)

	// Friday: published. What was unknown before is decided now, and consent is still needed.
	v.post("/v1/disclosures", v.consumer(), object{"purpose": "marketing.surveys", "attributes": []string{"email"}, "subjects": []object{{"id": id}}}, http.StatusUnprocessableEntity)
	d = v.publish(d)
	if got := ask(); got.Revision != d.Revision || got.Disclosures[0].Withheld["email"] == "" {
		t.Errorf("without consent: %+v", got)
	}
	// A consent counts once it rests on the notice that was written for the purpose.
	v.consent(id, "marketing.surveys", "grant")
	if got := ask().Disclosures[0]; got.Withheld["email"] != "notice_outdated" {
		t.Errorf("without a notice: %+v", got)
	}
	v.noticeFor("marketing.surveys")
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.surveys", "action": "grant", "notice": object{"id": "marketing.surveys", "version": 1}, "locale": "en"}, http.StatusCreated)
	changed := ask().Disclosures[0]
	if value, _ := changed.Attributes["email"].(string); value == "" || strings.Contains(value, "week@") {
		t.Errorf("with consent: %+v", changed)
	}
	v.post(revisions+"/"+before+"/rollback", v.officer(), object{"reason": "The survey was cancelled"}, http.StatusOK)
	v.post("/v1/disclosures", v.consumer(), object{"purpose": "marketing.surveys", "attributes": []string{"email"}, "subjects": []object{{"id": id}}}, http.StatusUnprocessableEntity)

	var trail struct {
		Entries []struct{ Action, Actor, Object string }
	}
	v.get("/v1/audit/entries?limit=1000", v.auditor()).into(t, &trail)
	var told []string
	actors := map[string]string{}
	for _, e := range slices.Backward(trail.Entries) {
		if strings.HasPrefix(e.Action, "policy.") {
			told = append(told, strings.TrimPrefix(strings.TrimPrefix(e.Action, "policy."), "draft."))
			actors[e.Action] = e.Actor
		}
	}
	want := "create edit edit test edit test preview submit approve publish rollback"
	if got := strings.Join(told, " "); got != want {
		t.Errorf("the trail tells %q, want %q", got, want)
	}
	if actors["policy.draft.create"] != d.Author || actors["policy.draft.approve"] == d.Author || actors["policy.draft.approve"] == "" {
		t.Errorf("who did what: %v", actors)
	}
}

// noticeFor writes and publishes the notice of a purpose.
func (v *vault) noticeFor(purpose string) {
	v.t.Helper()
	path := "/v1/notices/" + purpose + "/versions/1"
	a := v.call(http.MethodPut, v.url+path, v.officer(), object{"content": object{"contact": "", "controller": "Example Ltd", "purposes": []string{purpose}, "recipients": []string{},
		"retention": "", "rights": []string{}, "variants": object{"en": object{"title": "Surveys", "text": "We ask what you think."}}}})
	if a.status != http.StatusOK {
		v.t.Fatalf("notice: %d %s", a.status, a.body)
	}
	v.post(path+"/publish", v.officer(), object{"edit": 1}, http.StatusOK)
}
