package governance_test

import (
	"context"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// A preview tries its draft where that can do no harm, one preview at a time, and nothing of it goes on once the process is to stop.
func TestPreviewsWaitForNobody(t *testing.T) {
	t.Parallel()
	v := setup(t)
	entered := make(chan struct{})
	v.try = func(ctx context.Context, _ policy.Revision) (policy.Report, error) {
		entered <- struct{}{}
		<-ctx.Done()
		return policy.Report{}, privacy.Unavailable(ctx.Err(), "interrupted", "interrupted")
	}
	v.open(0)
	_, id := v.draft(governance.NewPolicyDraft{Title: "As it is"})
	first := make(chan error)
	go func() {
		_, err := v.PreviewDraft(t.Context(), officer, id, 0)
		first <- err
	}()
	<-entered
	_, err := v.PreviewDraft(t.Context(), officer, id, 0)
	wantCode(t, err, privacy.KindUnavailable, "policy_preview_busy")
	v.custody.EndWaits()
	wantCode(t, <-first, privacy.KindUnavailable, "interrupted")
}

// What a test would find a problem in is not evaluated over everybody.
func TestPreviewsAreOfSoundDrafts(t *testing.T) {
	t.Parallel()
	v := setup(t)
	created, id := v.draft(governance.NewPolicyDraft{Title: "Ask the clock"})
	changed, err := v.EditDraft(t.Context(), officer, id, created.Version, []byte(`{"modules":{"clock.rego":"package consentry.clock\n\nlate if data.nothing.at_all\n"}}`), custody.Once{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.PreviewDraft(t.Context(), officer, id, 0)
	wantCode(t, err, privacy.KindInvalid, "invalid_policy")
	if _, err := v.EditDraft(t.Context(), officer, id, changed.Version, []byte(`{"modules":{"clock.rego":null}}`), custody.Once{}); err != nil {
		t.Fatal(err)
	}
	if _, err = v.PreviewDraft(t.Context(), officer, id, 0); err != nil {
		t.Error(err)
	}
}
