package custody_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
)

func (v *vault) proof(id privacy.SubjectID) ([]byte, *proofpack.Report) {
	v.t.Helper()
	proof, err := v.ConsentProof(v.t.Context(), officer, id)
	if err != nil {
		v.t.Fatal(err)
	}
	var pack bytes.Buffer
	if err := proof.Write(v.t.Context(), &pack); err != nil {
		v.t.Fatal(err)
	}
	report, err := proofpack.Verify(v.t.Context(), bytes.NewReader(pack.Bytes()), int64(pack.Len()), proofpack.Trust{})
	if err != nil {
		v.t.Fatal(err)
	}
	return pack.Bytes(), report
}

// A ledger of several pages is proven whole, whatever receipts it lacks; one that grows meanwhile is proven as it was asked for.
func TestConsentProofOfALongLedger(t *testing.T) {
	v := setup(t)
	id := v.put("ada@example.com", nil)
	const records = 1_010
	for i := range records {
		v.decide(id, []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionWithdraw}[i%2])
	}
	v.exec(`DELETE FROM consent_receipt WHERE subject_id = $1 AND record_id IN (SELECT record_id FROM consent_record WHERE subject_id = $1 AND seq IN (1, 500, 501, 1010))`, [16]byte(id))
	proof, err := v.ConsentProof(t.Context(), officer, id)
	if err != nil {
		t.Fatal(err)
	}
	v.decide(id, privacy.ActionGrant)
	var pack bytes.Buffer
	if err := proof.Write(t.Context(), &pack); err != nil {
		t.Fatal(err)
	}
	report, err := proofpack.Verify(t.Context(), bytes.NewReader(pack.Bytes()), int64(pack.Len()), proofpack.Trust{})
	if err != nil || !report.OK() || report.Manifest.Records != records {
		t.Errorf("%v: %+v", err, report.Checks)
	}
}

// Whoever owns the database can change what is proven, and not so that it passes.
func TestConsentProofShowsATamperedDatabase(t *testing.T) {
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.decide(id, privacy.ActionGrant)
	v.decide(id, privacy.ActionWithdraw)
	v.decide(id, privacy.ActionGrant)
	if _, report := v.proof(id); !report.OK() {
		t.Fatalf("untouched: %+v", report.Checks)
	}
	v.exec(`UPDATE consent_record SET action = 'grant' WHERE subject_id = $1 AND seq = 2`, [16]byte(id))
	if _, report := v.proof(id); report.OK() {
		t.Error("a changed record passes")
	}
	v.exec(`DELETE FROM consent_record WHERE subject_id = $1 AND seq = 2`, [16]byte(id))
	if _, report := v.proof(id); report.OK() {
		t.Error("a removed record passes")
	}
	v.exec(`UPDATE consent_record SET hash = sha256('x') WHERE subject_id = $1 AND seq = 3`, [16]byte(id))
	if _, err := v.ConsentProof(t.Context(), officer, id); privacy.KindOf(err) != privacy.KindInternal {
		t.Errorf("a record that the log does not know: %v", err)
	}
}

type fullDisk struct{ left int }

var errFull = errors.New("full")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// A pack that cannot be written to its end is none, and whoever writes it is told.
func TestConsentProofThatIsCutShort(t *testing.T) {
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.decide(id, privacy.ActionGrant)
	pack, _ := v.proof(id)
	for left := 0; left < len(pack)-1; left += 500 {
		proof, err := v.ConsentProof(t.Context(), officer, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.Write(t.Context(), &fullDisk{left: left}); err == nil {
			t.Errorf("after %d bytes of %d nobody is told", left, len(pack))
		}
	}
	v.hideSigningKey()
	if _, err := v.ConsentProof(t.Context(), officer, id); privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("without the keyring: %v", err)
	}
}
