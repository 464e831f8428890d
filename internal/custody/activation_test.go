package custody_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// subscribers are people of a province who have agreed to a newsletter.
func (v *vault) subscribers(province string, n int) []privacy.SubjectID {
	v.t.Helper()
	ids := make([]privacy.SubjectID, n)
	for i := range ids {
		email := fmt.Sprintf("%s-%d@example.com", province, i)
		ids[i] = v.put(email, fields{"email": email, "city": "C" + province, "province": province, "country": "DE", "birth_date": "1990-05-17"})
		v.decide(ids[i], privacy.ActionGrant)
	}
	return ids
}

// activate begins a campaign to the people of Hessen.
func (v *vault) activate() *custody.Campaign {
	v.t.Helper()
	a, err := v.Activate(v.t.Context(), consumer, v.segment(`{"facet":"province","eq":"Hessen"}`), marketing, []privacy.AttributeName{"email"})
	if err != nil {
		v.t.Fatal(err)
	}
	return a
}

// sent goes on with an activation after somebody.
func (v *vault) sent(a *custody.Campaign, after privacy.SubjectID, between func()) (ids []privacy.SubjectID, err error) {
	c, err := v.ResumeActivation(v.t.Context(), consumer, a.ID, after)
	if err != nil {
		return nil, err
	}
	err = c.Send(v.t.Context(), func(disclosed []custody.Disclosure) error {
		for _, d := range disclosed {
			ids = append(ids, d.Subject)
		}
		between()
		return nil
	})
	return ids, err
}

func (v *vault) withdrawnSince(a *custody.Campaign) []privacy.SubjectID {
	v.t.Helper()
	kept, err := v.Activation(v.t.Context(), consumer, a.ID)
	if err != nil {
		v.t.Fatal(err)
	}
	gone, _, _, err := v.WithdrawnSince(v.t.Context(), consumer, kept, privacy.SubjectID{}, 1000)
	if err != nil {
		v.t.Fatal(err)
	}
	return gone
}

// Who is on the list of a campaign has the facts that the segment is made of. What the purpose may know in aggregate, or in a more general form, makes
// no list, nor does asking for what nobody may be told of.
func TestLaw6NobodyIsNamedByWhatIsNotReleased(t *testing.T) {
	v := setup(t)
	v.follow()
	v.townsfolk("Köln", 70)
	v.subscribers("Hessen", 70)
	for _, c := range []struct {
		predicate string
		purpose   privacy.PurposeName
		asked     privacy.AttributeName
		code      string
	}{
		{`{"facet":"city","eq":"Köln"}`, segmenting, "email", "facet_too_fine"},
		{`{"facet":"city","eq":"CHessen"}`, marketing, "email", "facet_too_fine"}, // the province is what it may know
		{`{"not":{"facet":"city","eq":"CHessen"}}`, marketing, "email", "facet_too_fine"},
		{`{"facet":"province","eq":"Hessen"}`, marketing, "government_id", "cohort_too_small"},
		{`{"facet":"province","eq":"Hessen"}`, marketing, "email", ""},
		{`{"facet":"age_band","exists":true}`, marketing, "email", ""}, // as general as what is released of a date of birth
	} {
		_, err := v.Activate(t.Context(), consumer, v.segment(c.predicate), c.purpose, []privacy.AttributeName{c.asked})
		if privacy.CodeOf(err) != c.code && (c.code != "" || err != nil) {
			t.Errorf("%s for %s, asking for %s: %v", c.predicate, c.purpose, c.asked, err)
		}
	}
}

// A campaign's entries name what its members are known to have, and its suppression list nobody whom it was not sent to.
func TestActivationToldAndWithdrawn(t *testing.T) {
	v := setup(t)
	v.follow()
	v.subscribers("Hessen", 300)
	a := v.activate()
	everybody, err := v.sent(a, privacy.SubjectID{}, func() {})
	if err != nil || len(everybody) != 300 {
		t.Fatalf("sent to %d, %v", len(everybody), err)
	}
	if n := v.count(fmt.Sprintf(`SELECT count(*) FROM audit_entry e JOIN decision d ON d.hash = e.decision_hash
		WHERE object = 'activation/%s' AND convert_from(outcome, 'UTF8')::jsonb -> 'permitted' ?& '{email,province}'`, privacy.SubjectID(a.ID))); n != 300 {
		t.Errorf("%d entries name the facet's attribute", n)
	}
	second := v.activate()
	last, first := everybody[299], everybody[0]
	reached, err := v.sent(second, privacy.SubjectID{}, func() { v.decide(last, privacy.ActionWithdraw) })
	if err != nil || len(reached) != 299 || slices.Contains(reached, last) {
		t.Fatalf("sent to %d, %v", len(reached), err)
	}
	if gone := v.withdrawnSince(second); len(gone) != 0 {
		t.Errorf("listed as withdrawn: %d of whom nothing was told", len(gone))
	}
	v.decide(first, privacy.ActionWithdraw)
	if gone := v.withdrawnSince(second); !slices.Equal(gone, []privacy.SubjectID{first}) {
		t.Errorf("listed as withdrawn: %d", len(gone))
	}
}

// An activation that can be gone on with for ever would tell who comes into a segment, and one of a segment that has shrunk who is left.
func TestActivationEnds(t *testing.T) {
	v := setup(t)
	v.follow()
	ids := v.subscribers("Hessen", 70)
	a := v.activate()
	for _, id := range ids[:40] {
		v.decide(id, privacy.ActionWithdraw)
	}
	if got, err := v.sent(a, privacy.SubjectID{}, func() {}); privacy.CodeOf(err) != "cohort_too_small" || len(got) != 0 {
		t.Errorf("thirty who are left are told: %d, %v", len(got), err)
	}
	v.clock.Advance(7*24*time.Hour + time.Second)
	if got, err := v.sent(a, privacy.SubjectID{}, func() {}); privacy.CodeOf(err) != "activation_over" || len(got) != 0 {
		t.Errorf("after a week: %d, %v", len(got), err)
	}
}

// Of too few people there is no campaign, however many the noise makes of them: what has been counted is paid for, and nothing begins.
func TestActivationOfTooFewIsNotBegun(t *testing.T) {
	v := setup(t)
	v.follow()
	v.subscribers("Hessen", 49)
	id := v.segment(`{"facet":"province","eq":"Hessen"}`)
	for _, also := range []privacy.AttributeName{"given_name", "family_name", "full_name", "city", "country", "language", "gender", "postcode", "interests", "customer_level", "source", "education"} {
		if _, err := v.Activate(t.Context(), consumer, id, marketing, []privacy.AttributeName{"email", also}); privacy.CodeOf(err) != "cohort_too_small" {
			t.Errorf("with %s: %v", also, err)
		}
	}
	if n := v.count(`SELECT count(*) FROM activation`); n != 0 {
		t.Errorf("%d activations were begun", n)
	}
}

// A policy that is published while a campaign is being sent is in force from the next step on. Who may be told of a fact in a coarser form than the
// segment has it is named no more, neither in the stream that is under way nor in one that goes on with it.
func TestLaw6APolicyPublishedWhileACampaignIsSent(t *testing.T) {
	v := setup(t)
	v.follow()
	v.subscribers("Hessen", 300)
	a := v.activate()
	reached, err := v.sent(a, privacy.SubjectID{}, func() {
		v.publish(func(data map[string]any) {
			data["matrix"].(map[string]any)["province"].(map[string]any)[string(marketing)] = "tokenise"
		})
	})
	if privacy.CodeOf(err) != "policy_changing" || len(reached) != 250 {
		t.Errorf("sent to %d, %v", len(reached), err)
	}
	if n := v.count(fmt.Sprintf(`SELECT count(*) FROM audit_entry WHERE object = 'activation/%s' AND action = 'disclosure'`, privacy.SubjectID(a.ID))); n != 250 {
		t.Errorf("%d disclosures are on record", n)
	}
	if got, err := v.sent(a, reached[len(reached)-1], func() {}); privacy.CodeOf(err) != "facet_too_fine" || len(got) != 0 {
		t.Errorf("after the policy: sent to %d, %v", len(got), err)
	}
}

// coarserWhenExplicit has the policy let a province be known as a token alone of those who have agreed explicitly.
func coarserWhenExplicit(r *policy.Revision) {
	const column = "modes := {attribute: mode | mode := data.matrix[attribute][input.purpose]}"
	r.Modules["matrix.rego"] = strings.Replace(r.Modules["matrix.rego"], column, `column := {attribute: mode | mode := data.matrix[attribute][input.purpose]}

modes := object.union(column, {"province": "tokenise"}) if {
	input.subject.consent.explicit
} else := column`, 1)
}

// What may be told of somebody may become coarser under the same policy too, as what they have said does.
func TestLaw6NamedAsTheDecisionAtSendingPermits(t *testing.T) {
	v := setup(t)
	v.publishRevision(coarserWhenExplicit)
	v.follow()
	v.subscribers("Hessen", 300)
	a := v.activate()
	everybody, err := v.sent(a, privacy.SubjectID{}, func() {})
	if err != nil || len(everybody) != 300 {
		t.Fatalf("sent to %d, %v", len(everybody), err)
	}
	last := everybody[299]
	reached, err := v.sent(a, privacy.SubjectID{}, func() { v.consent(last, custody.Consent{Action: privacy.ActionGrant, Explicit: true}) })
	if err != nil || len(reached) != 299 || slices.Contains(reached, last) {
		t.Errorf("sent to %d, %v", len(reached), err)
	}
}

// One member of whom something does not open ends neither a campaign nor its suppression list.
func TestActivationGoesOnWithoutTheDamaged(t *testing.T) {
	v := setup(t)
	v.follow()
	ids := v.subscribers("Hessen", 70)
	a := v.activate()
	if got, err := v.sent(a, privacy.SubjectID{}, func() {}); err != nil || len(got) != 70 {
		t.Fatalf("sent to %d, %v", len(got), err)
	}
	v.exec(`UPDATE attribute_value SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE subject_id = '` + ids[3].String() + `'`)
	if got, err := v.sent(a, privacy.SubjectID{}, func() {}); err != nil || len(got) != 69 || slices.Contains(got, ids[3]) {
		t.Errorf("with damaged values of one: sent to %d, %v", len(got), err)
	}
	if gone := v.withdrawnSince(a); len(gone) != 0 {
		t.Errorf("listed as withdrawn: %d", len(gone))
	}
	v.exec(`UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = '` + ids[5].String() + `'`)
	v.decide(ids[9], privacy.ActionWithdraw)
	if gone := v.withdrawnSince(a); len(gone) != 2 || !slices.Contains(gone, ids[5]) || !slices.Contains(gone, ids[9]) {
		t.Errorf("with a damaged state of one: %d are listed", len(gone))
	}
	v.exec(`UPDATE activation SET behind = '{}'`) // as of a campaign from before that was kept
	if gone := v.withdrawnSince(a); len(gone) != 2 {
		t.Errorf("of an older campaign: %d are listed", len(gone))
	}
}
