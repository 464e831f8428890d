package custody_test

import (
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Everything the flows put on record gets into the log, and is proved from what the API gives out.
func TestProofsOfWhatTheFlowsRecord(t *testing.T) {
	t.Parallel()
	v := setup(t)
	_, err := v.another().Book().Checkpoint(t.Context())
	wantCode(t, err, privacy.KindNotFound, "no_checkpoint")
	id := v.put("ada@example.com", ada)
	if err := v.Book().Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	early, err := v.Book().Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"email": `"ada@example.com"`})
	fresh := v.newest(id, 1)[0].Name
	other := v.another() // signs with the same key
	if _, err := other.Book().ProveInclusion(t.Context(), fresh); err != nil {
		t.Fatalf("a proof that is asked for before the sequencer has been there: %v", err)
	}
	keys, err := v.Book().Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := func(note []byte) audit.Checkpoint {
		signed, err := audit.ParseCheckpoint(note, "test.example/audit", keys)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	for _, entry := range v.newest(id, 10) {
		proof, err := v.Book().ProveInclusion(t.Context(), entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		signed := checkpoint(proof.Note)
		if err := audit.VerifyInclusion(entry.LeafHash(), proof.Index, signed.Size, proof.Path, signed.Root); err != nil {
			t.Errorf("%s: %v", entry.Action, err)
		}
	}
	late, err := v.Book().Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path, size, err := v.Book().ProveConsistency(t.Context(), early.Size, 0)
	if err != nil || size != late.Size {
		t.Fatal(size, err)
	}
	if err := audit.VerifyConsistency(early.Size, size, path, checkpoint(early.Note).Root, checkpoint(late.Note).Root); err != nil {
		t.Error(err)
	}
	_, _, err = v.Book().ProveConsistency(t.Context(), 1, late.Size+1)
	wantCode(t, err, privacy.KindInvalid, "invalid_range")
	source, err := v.store.AuditSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), source.Items(), audit.Trust{Origin: "test.example/audit", Keys: keys})
	if err != nil || !report.OK() || report.Decisions != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
