package custody_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// A relay that dies between its two transactions leaves changes in the outbox that are in the log already. Nodes that look then, once, again, or
// for the first time, go on telling the same data by the same number: an answer from before a withdrawal is given by none of them.
func TestSegmentsCountEveryChangeOnce(t *testing.T) {
	v := setup(t)
	v.follow()
	v.townsfolk("Köln", 100)
	people := []privacy.SubjectID{v.member(1, fields{"city": "Köln"}), v.member(2, fields{"city": "Köln"})}
	other := v.another()
	other.follow()
	town := v.segment(`{"facet":"city","eq":"Köln"}`)
	if _, err := v.store.Relay(t.Context(), 100_000, v.clock.Read(), time.Minute); err != nil {
		t.Fatal(err)
	}
	ask := func(node *vault) bool {
		t.Helper()
		told, err := node.howMany(town)
		if err != nil {
			t.Fatal(err)
		}
		return told.Repeated
	}
	ask(v)
	ask(other)
	v.patch(people[0], fields{"given_name": "A", "customer_level": "gold"})
	v.exec(`INSERT INTO change_log (index, change_id, subject_id, kind, purpose, detail, at, logged_at)
		SELECT (SELECT max(index) FROM change_log) + row_number() OVER (ORDER BY number), change_id, subject_id, kind, purpose, detail, at, at FROM change`)
	ask(v)
	late := v.another() // which finds a log whose end is in the outbox too
	late.follow()
	for name, node := range map[string]*vault{"asked again": v, "built meanwhile": late} {
		if !ask(node) {
			t.Errorf("the node %s takes the same data for other", name)
		}
	}
	v.exec(`DELETE FROM change`)
	if !ask(v) {
		t.Error("with the outbox empty the same data is taken for other")
	}
	if _, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: people[1]}, custody.Consent{Purpose: segmenting, Action: privacy.ActionWithdraw}, custody.Once{}); err != nil {
		t.Fatal(err)
	}
	for _, node := range []*vault{other, late, v} {
		if repeated := ask(node); repeated && node == other {
			t.Error("an answer from before the withdrawal was given")
		}
	}
}
