package custody_test

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestReplayFindsATamperedDecision(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"email": `"ada@example.com"`})
	name := v.newest(id, 1)[0].Name
	// Another node, and after the policy has changed: the recorded revision decides.
	v.publish(func(data map[string]any) { data["matrix"].(map[string]any)["email"] = map[string]any{} })
	other := v.another()
	replayed, err := other.Replay(t.Context(), name)
	if err != nil || !replayed.Same || string(replayed.Recorded) != string(replayed.Replayed) {
		t.Fatalf("got %+v, %v", replayed, err)
	}
	for _, column := range []string{"outcome", "input"} {
		v.exec(`UPDATE decision SET ` + column + ` = convert_to(replace(convert_from(` + column + `, 'UTF8'), 'email', 'phone'), 'UTF8')`)
		_, err = other.Replay(t.Context(), name)
		wantCode(t, err, privacy.KindInternal, "decision_tampered")
		v.exec(`UPDATE decision SET ` + column + ` = convert_to(replace(convert_from(` + column + `, 'UTF8'), 'phone', 'email'), 'UTF8')`)
	}
	// Even with its hash made to fit, a decision that the policy would not take is told.
	v.exec(`DELETE FROM decision`)
	_, err = other.Replay(t.Context(), name)
	wantCode(t, err, privacy.KindNotFound, "decision_not_found")
	consent := v.newest(id, 2)[1].Name
	_, err = other.Replay(t.Context(), consent)
	wantCode(t, err, privacy.KindInvalid, "no_decision")
}
