package governance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// candidate gives the built-in policy with a change of its tables.
func (v *vault) candidate(change func(data map[string]any)) policy.Revision {
	v.t.Helper()
	words, err := catalogue.Load()
	if err != nil {
		v.t.Fatal(err)
	}
	revision, err := policy.Default(words.PolicyData())
	if err == nil {
		change(revision.Data)
		revision, err = policy.NewRevision(revision.Modules, revision.Data)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return revision
}

// crowd stores people of many policy states.
func (v *vault) crowd(n int) []privacy.SubjectID {
	v.t.Helper()
	homes := []fields{{"country": "DE"}, {"country": "FR"}, {"country": "CN"}, {"country": "US", "province": "California"}, {"country": "US"}, {"country": "GB"}, {}}
	births := []any{"1980-05-01", "2011-06-01", "2009-02-03", nil, "1990-01-01"}
	ids := make([]privacy.SubjectID, n)
	for i := range ids {
		ids[i] = v.put(fmt.Sprintf("crowd-%d@example.com", i), homes[i%len(homes)])
		switch i % 6 {
		case 0, 1:
			v.consent(ids[i], custody.Consent{Action: privacy.ActionGrant, Explicit: i%4 == 0})
		case 2:
			v.consent(ids[i], custody.Consent{Action: privacy.ActionDeny})
		case 3:
			v.consent(ids[i], custody.Consent{Action: privacy.ActionGrant})
			v.consent(ids[i], custody.Consent{Action: privacy.ActionWithdraw})
		case 4:
			v.consent(ids[i], custody.Consent{Action: privacy.ActionGrant, Explicit: true, SeparateFor: []privacy.ConsentScope{privacy.ScopeSensitive, privacy.ScopeTransfer}})
		}
		if i%11 == 0 {
			v.consent(ids[i], custody.Consent{Action: privacy.ActionObject})
		}
		// How young somebody is may be learnt after they have consented.
		if born := births[i%len(births)]; born != nil {
			v.patch(ids[i], fields{"birth_date": born})
		}
	}
	return ids
}

// question is a client that asks for a purpose.
type question struct {
	client  privacy.ClientID
	purpose privacy.PurposeName
}

// modes has everybody disclosed for a question, and gives the modes that were decided for each of them.
func (v *vault) modes(q question, attributes []privacy.AttributeName, ids []privacy.SubjectID) map[privacy.SubjectID]map[privacy.AttributeName]privacy.Mode {
	v.t.Helper()
	request := custody.Request{Purpose: q.purpose, Attributes: attributes}
	for _, id := range ids {
		request.Subjects = append(request.Subjects, custody.SubjectRef{ID: id})
	}
	mark := privacy.RequestID(fmt.Sprintf("modes-%d", v.clock.Read().UnixNano()))
	if _, err := v.custody.Disclose(v.t.Context(), custody.Caller{Caller: privacy.Caller{Client: q.client, Roles: []privacy.Role{privacy.RoleConsumer}}, Request: mark}, request); err != nil {
		v.t.Fatal(err)
	}
	rows, err := v.owner.Query(v.t.Context(), `SELECT e.subject_id, d.outcome FROM audit_trail e JOIN decision d ON d.hash = e.decision_hash WHERE e.request_id = $1`, mark)
	if err != nil {
		v.t.Fatal(err)
	}
	defer rows.Close()
	decided := make(map[privacy.SubjectID]map[privacy.AttributeName]privacy.Mode)
	for rows.Next() {
		var id [16]byte
		var text []byte
		var outcome privacy.Outcome
		if err := rows.Scan(&id, &text); err != nil {
			v.t.Fatal(err)
		}
		if err := json.Unmarshal(text, &outcome); err != nil {
			v.t.Fatal(err)
		}
		decided[id] = outcome.Permitted
	}
	if len(decided) != len(ids) {
		v.t.Fatalf("%d of %d were decided on", len(decided), len(ids))
	}
	return decided
}

// counted is the changes of a preview in a form that can be compared.
func counted(changes []governance.PreviewChange, only []question) map[string]int {
	counts := make(map[string]int)
	for _, c := range changes {
		if slices.Contains(only, question{c.Client, c.Purpose}) && c.People.Count != nil {
			counts[fmt.Sprint(c.Client, " ", c.Purpose, " ", c.Attribute, " ", c.From, "→", c.To, " ", c.Effect)] = *c.People.Count
		}
	}
	return counts
}

// What a preview counts is what happens when the candidate is published: everybody is decided on before and after, one by one.
func TestPreviewCountsWhatPublishingChanges(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ids := v.crowd(90)
	change := func(data map[string]any) {
		data["matrix"].(map[string]any)["city"].(map[string]any)["marketing.email"] = "plain"
		delete(data["matrix"].(map[string]any)["province"].(map[string]any), "marketing.email")
		data["matrix"].(map[string]any)["email"].(map[string]any)["marketing.email"] = "mask"
		data["purposes"].(map[string]any)["ads.personalised"].(map[string]any)["minimum_notice_version"] = json.Number("2")
		data["clients"].(map[string]any)["analyst"].(map[string]any)["purposes"] = []any{"analytics.profiling", "marketing.email"}
		data["regimes"].(map[string]any)["countries"].(map[string]any)["FR"] = "pipl"
	}
	candidate := v.candidate(change)
	questions := []question{{"crm-mailer", "marketing.email"}, {"analyst", "marketing.email"}, {"service-desk", "service.support"}, {"ads-desk", "ads.personalised"}}
	asked := make(map[privacy.PurposeName][]privacy.AttributeName)
	for attribute, row := range candidate.Data["matrix"].(map[string]any) {
		for purpose := range row.(map[string]any) {
			asked[privacy.PurposeName(purpose)] = append(asked[privacy.PurposeName(purpose)], privacy.AttributeName(attribute))
		}
	}
	asked["marketing.email"] = append(asked["marketing.email"], "province")

	before := make(map[question]map[privacy.SubjectID]map[privacy.AttributeName]privacy.Mode)
	for _, q := range questions {
		before[q] = v.modes(q, asked[q.purpose], ids)
	}
	preview, err := v.PreviewFor(t.Context(), candidate, 30, 1)
	if err != nil {
		t.Fatal(err)
	}
	v.publish(candidate)
	want := make(map[string]int)
	for _, q := range questions {
		for id, after := range v.modes(q, asked[q.purpose], ids) {
			for _, name := range asked[q.purpose] {
				from, to, effect := before[q][id][name], after[name], "changed"
				if from == to {
					continue
				}
				if from == "" {
					from, effect = "deny", "gained"
				}
				if to == "" {
					to, effect = "deny", "lost"
				}
				want[fmt.Sprint(q.client, " ", q.purpose, " ", name, " ", from, "→", to, " ", effect)]++
			}
		}
	}
	if got := counted(preview.Population.Changes, questions); !maps.Equal(got, want) || len(want) < 10 {
		t.Errorf("over the population: got %v\nwant %v", got, want)
	}
	// A recorded decision has the law that people were under then, so that of France is left as it was.
	generalised := 0
	for _, modes := range before[questions[0]] {
		if modes["city"] == privacy.ModeGeneralise {
			generalised++
		}
	}
	if got := counted(preview.Recorded.Changes, questions[:1]); len(got) != 3 || got["crm-mailer marketing.email city generalise→plain changed"] != generalised {
		t.Errorf("over the recorded decisions: %v, want %d whose city becomes plain", got, generalised)
	}
	if got := preview.Population.People; got.Count == nil || *got.Count != len(ids) {
		t.Errorf("%+v people", got)
	}
	if got := preview.Recorded; got.Entries < int64(len(ids)*len(questions)) || got.Decisions == 0 {
		t.Errorf("%d entries, %d decisions", got.Entries, got.Decisions)
	}
	// What is recorded by the candidate itself changes nothing under it any more.
	again, err := v.PreviewFor(t.Context(), candidate, 30, 1)
	if err != nil || len(again.Population.Changes) != 0 {
		t.Errorf("against itself: %v, %v", again.Population.Changes, err)
	}
}

func TestPreviewTellsNoSmallCounts(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for i := range 60 {
		country := "DE"
		if i >= 55 {
			country = "FR"
		}
		v.consent(v.put(fmt.Sprintf("p-%d@example.com", i), fields{"country": country}), custody.Consent{Action: privacy.ActionGrant})
	}
	// Five people fall under another law; the other 55 see a mode change.
	candidate := v.candidate(func(data map[string]any) {
		data["matrix"].(map[string]any)["email"].(map[string]any)["marketing.email"] = "mask"
		data["clients"].(map[string]any)["crm-mailer"].(map[string]any)["country"] = "FR"
	})
	content, err := candidate.Content()
	if err != nil {
		t.Fatal(err)
	}
	_, id := v.draft(governance.NewPolicyDraft{Title: "Mask the address", Content: content})
	preview, err := v.PreviewDraft(t.Context(), officer, id, 0)
	if err != nil {
		t.Fatal(err)
	}
	if preview.Recorded != nil || preview.Minimum != 50 || len(preview.Population.Changes) == 0 {
		t.Errorf("got %+v", preview)
	}
	for _, c := range preview.Population.Changes {
		if c.People.Count != nil && (*c.People.Count < 50 || *c.People.Count%50 != 0) || (c.People.Count == nil) != c.People.BelowMinimum {
			t.Errorf("%s %s: %+v", c.Purpose, c.Attribute, c.People)
		}
	}
	entries, _, err := v.custody.Entries(t.Context(), custody.AuditFilter{Client: "officer", Limit: 10})
	if err != nil || len(entries) != 2 || entries[0].Action != audit.ActionPolicyPreview || entries[0].Object != entries[1].Object || entries[0].Actor == "" {
		t.Errorf("on record: %+v, %v", entries, err)
	}
	for _, days := range []int{-1, 367} {
		_, err = v.PreviewDraft(t.Context(), officer, id, days)
		wantCode(t, err, privacy.KindInvalid, "invalid_days")
	}
	_, err = v.PreviewDraft(t.Context(), officer, governance.DraftID{1}, 0)
	wantCode(t, err, privacy.KindNotFound, "draft_not_found")
}
