package custody_test

import (
	"archive/zip"
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// eventful is somebody about whom very much has happened: 10,000 decisions of their own, 85,000 disclosures about them alone, and 5,000
// in lists with others.
func (v *vault) eventful() privacy.SubjectID {
	v.t.Helper()
	id := v.put("eventful@example.com", fields{"email": "eventful@example.com", "country": "DE", "city": "Brandenburg"})
	v.decide(id, privacy.ActionGrant)
	v.tell(id, "email", "city")
	v.exec(`INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, recorded_by, recorded_at)
		SELECT subject_id, seq + n, gen_random_uuid(), purpose, action, explicit, separate_for, given_by, 'web', 'checkbox', occurred_at, recorded_by, recorded_at
		FROM consent_record, generate_series(1, 9999) n WHERE subject_id = $1 AND seq = 1`, [16]byte(id))
	v.exec(`INSERT INTO audit_entry SELECT batch_id, id + n, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes, object, actor
		FROM audit_entry, generate_series(1, 84999) n WHERE subject_id = $1 AND action = 'disclosure'`, [16]byte(id))
	v.exec(`INSERT INTO audit_run SELECT batch_id, 100000 + 3 * n, at, action, client, request_id, purpose, roles, attributes, ARRAY[gen_random_uuid(), subject_id, gen_random_uuid()], '{1, 1, 1}', ARRAY[decision_hash]
		FROM audit_entry, generate_series(1, 5000) n WHERE subject_id = $1 AND action = 'disclosure' AND id = (SELECT min(id) FROM audit_entry WHERE subject_id = $1 AND action = 'disclosure')`, [16]byte(id))
	return id
}

// most watches how much the heap holds, garbage with it, until it is stopped.
func most() (stop func() uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	end, done := make(chan struct{}), make(chan uint64)
	go func() {
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		var highest uint64
		for {
			select {
			case <-end:
				done <- highest
				return
			case <-ticker.C:
				metrics.Read(sample)
				highest = max(highest, sample[0].Value.Uint64())
			}
		}
	}()
	return func() uint64 { close(end); return <-done }
}

// The file of somebody about whom 100,000 things have happened is made, and fetched, in less than 64 MiB.
func TestExportOfManyEventsIsStreamed(t *testing.T) {
	v := setup(t)
	id := v.eventful()
	request := store.RightsRequest{ID: privacy.RightsRequestID{1}, Subject: id, Type: privacy.RequestAccess}
	file, err := os.Create(filepath.Join(t.TempDir(), "file.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is read below

	defer debug.SetGCPercent(debug.SetGCPercent(10)) // so that garbage counts for little
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	before, stop := sample[0].Value.Uint64(), most()
	made, err := v.MakeExport(t.Context(), &request)
	making := stop()
	if err != nil {
		t.Fatal(err)
	}
	stop = most()
	opened, err := v.OpenExport(t.Context(), &made)
	if err == nil {
		err = opened.Write(t.Context(), file)
	}
	fetching := stop()
	if err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 20
	t.Logf("a file of %.1f MiB: %.1f MiB of heap to make it, %.1f to fetch it, over %.1f before", mib(uint64(made.Size)), mib(making)-mib(before), mib(fetching)-mib(before), mib(before))
	if making > before+limit || fetching > before+limit {
		t.Error("that is more than 64 MiB")
	}
	if lines := linesOf(t, file, made.Size, "disclosures.csv"); lines != 90_001 {
		t.Errorf("%d disclosures", lines-1)
	}
	if lines := linesOf(t, file, made.Size, "consents.csv"); lines != 10_001 {
		t.Errorf("%d consents", lines-1)
	}
	if lines := linesOf(t, file, made.Size, "index.html"); lines > 10_000 {
		t.Errorf("the page has %d lines", lines)
	}
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// linesOf counts the lines of a file in an archive.
func linesOf(t *testing.T, archive *os.File, size int64, name string) (lines int) {
	t.Helper()
	r, err := zip.NewReader(archive, size)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := r.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	for scanner := bufio.NewScanner(opened); scanner.Scan(); {
		lines++
	}
	return lines
}

// A file whose chunks were taken away, swapped or moved from another file is not given out as if it were whole.
func TestExportThatWasTamperedWithDoesNotOpen(t *testing.T) {
	for name, tamper := range map[string]string{
		"the last chunk is missing":  `DELETE FROM export_chunk WHERE number = (SELECT max(number) FROM export_chunk)`,
		"a chunk is missing":         `DELETE FROM export_chunk WHERE number = 1`,
		"the first chunk is missing": `DELETE FROM export_chunk WHERE number = 0`,
		"all chunks are missing":     `DELETE FROM export_chunk`,
		"two chunks are swapped":     `UPDATE export_chunk c SET sealed = (SELECT sealed FROM export_chunk WHERE number = 1 - c.number) WHERE number < 2`,
		"a chunk is repeated":        `UPDATE export_chunk SET sealed = (SELECT sealed FROM export_chunk WHERE number = 0) WHERE number = 1`,
		"a chunk is changed":         `UPDATE export_chunk SET sealed = set_byte(sealed, 100, 255 - get_byte(sealed, 100)) WHERE number = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			v := setup(t)
			id := v.put("tampered@example.com", fields{"country": "DE"})
			v.decide(id, privacy.ActionGrant)
			v.exec(`INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, recorded_by, recorded_at)
				SELECT subject_id, seq + n, gen_random_uuid(), purpose, action, explicit, separate_for, given_by, 'web', 'checkbox', occurred_at, recorded_by, recorded_at
				FROM consent_record, generate_series(1, 3000) n WHERE subject_id = $1`, [16]byte(id))
			made, err := v.MakeExport(t.Context(), &store.RightsRequest{ID: privacy.RightsRequestID{1}, Subject: id, Type: privacy.RequestAccess})
			if err != nil {
				t.Fatal(err)
			}
			write := func() error {
				opened, err := v.OpenExport(t.Context(), &made)
				if err != nil {
					t.Fatal(err)
				}
				return opened.Write(t.Context(), &discarded{})
			}
			if err := write(); err != nil || v.count(`SELECT count(*) FROM export_chunk`) < 3 {
				t.Fatalf("before it was tampered with: %v", err)
			}
			v.exec(tamper)
			if err := write(); !errors.Is(err, keyring.ErrNotAuthentic) {
				t.Errorf("it opens: %v", err)
			}
		})
	}
}

type discarded struct{}

func (*discarded) Write(p []byte) (int, error) { return len(p), nil }
