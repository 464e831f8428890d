package governance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
)

// A rebase never holds one connection while it waits for another: a pool of one is enough. If it did, as many
// rebases as a pool has connections would stop everything on the node.
func TestRebaseTakesOneConnectionAtATime(t *testing.T) {
	t.Parallel()
	v := setup(t)
	v.open(1)
	created, id := v.draft(governance.NewPolicyDraft{Title: "No city"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	once := custody.Once{Client: officer.Client, Key: "rebase"}
	rebased, err := v.RebaseDraft(ctx, officer, id, created.Version, once)
	if err != nil || rebased.Version != created.Version+1 {
		t.Fatalf("rebased to %+v: %v", rebased, err)
	}
	if again, err := v.RebaseDraft(ctx, officer, id, created.Version, once); err != nil || again.Version != rebased.Version {
		t.Errorf("a repeat gives %+v: %v", again, err)
	}
	_, err = v.RebaseDraft(ctx, officer, id, created.Version, custody.Once{})
	wantCode(t, err, privacy.KindConflict, "draft_changed")
}

// Whoever can write to the database may put another policy under a name: nothing reads it for what it is not.
func TestStoredRevisionsAreHeldToTheirNames(t *testing.T) {
	t.Parallel()
	v := setup(t)
	created, id := v.draft(governance.NewPolicyDraft{Title: "No city"})
	changed, err := v.EditDraft(t.Context(), officer, id, created.Version, []byte(`{"data":{"matrix":{"city":{"marketing.email":null}}}}`), custody.Once{})
	if err != nil {
		t.Fatal(err)
	}
	reads := func(t *testing.T, names ...string) {
		t.Helper()
		for name, read := range map[string]func() error{
			"draft preview": func() error { _, err := v.PreviewDraft(t.Context(), officer, id, 0); return err },
			"draft diff":    func() error { _, err := v.DiffDraft(t.Context(), id, "", "en"); return err },
			"draft test":    func() error { _, err := v.TestDraft(t.Context(), officer, id); return err },
			"record":        func() error { _, err := v.RecordsOfProcessing(t.Context(), time.Time{}); return err },
		} {
			err := read()
			if wanted := strings.Contains(strings.Join(names, ","), name); wanted {
				wantCode(t, err, privacy.KindUnavailable, "policy_unavailable")
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	reads(t)
	v.exec(`UPDATE policy_draft SET revision_id = repeat('a', 64)`)
	reads(t, "draft preview", "draft diff", "draft test")
	v.exec(`UPDATE policy_draft SET revision_id = $1`, changed.Revision)
	v.exec(`UPDATE revision SET content = (SELECT content FROM policy_draft)`)
	reads(t, "draft preview", "draft diff", "record")
}
