package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// logged reads the names of the leaves in order, and fails unless the indexes are dense.
func (db *database) logged() []audit.EntryName {
	db.t.Helper()
	rows, err := db.owner.Query(db.t.Context(), `SELECT index + n, batch_id, n FROM audit_leaf, generate_series(0, octet_length(hashes) / 32 - 1) AS n ORDER BY index + n`)
	if err != nil {
		db.t.Fatal(err)
	}
	var names []audit.EntryName
	var index int64
	var name audit.EntryName
	_, err = pgx.ForEachRow(rows, []any{&index, (*[16]byte)(&name.BatchID), &name.ID}, func() error {
		if index != int64(len(names)) {
			db.t.Errorf("index %d follows %d", index, len(names)-1)
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		db.t.Fatal(err)
	}
	return names
}

// Several nodes sequence while several write: one dense log comes of it, in which every entry is
// once, batches are whole and in order inside, and all of it is signed.
func TestSequenceByManyAtOnce(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	const writers, batches, perBatch = 3, 20, 4
	var writing, sequencing sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		sequencing.Go(func() {
			for {
				if _, err := db.Sequence(t.Context(), 7, start, n); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range writers {
		writing.Go(func() {
			for b := range batches {
				if _, err := db.CommitAudit(t.Context(), batch(t, start.Add(time.Duration(b)*time.Millisecond), lookups(perBatch))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	sequencing.Wait()
	db.sequence(n, 7)

	names := db.logged()
	if len(names) != writers*batches*perBatch {
		t.Fatalf("%d leaves of %d entries", len(names), writers*batches*perBatch)
	}
	seen := map[audit.BatchID]bool{}
	for together := range slices.Chunk(names, perBatch) {
		if seen[together[0].BatchID] {
			t.Error("a batch is in the log twice, or torn")
		}
		seen[together[0].BatchID] = true
		for i, name := range together {
			if name.BatchID != together[0].BatchID || int(name.ID) != i {
				t.Error("a batch has lost its order")
			}
		}
	}
	if report := db.verify(n, nil); !report.OK() {
		t.Errorf("the log does not verify: %v", report.Findings)
	}
}

func TestSequenceTakesABoundedStep(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	for range 5 {
		db.commit(start, lookups(6_000))
	}
	for _, want := range []int{18_000, 30_000, 30_000} {
		more, err := db.Sequence(t.Context(), 500, start, n)
		if got := len(db.logged()); err != nil || got != want || more != (got < 30_000) {
			t.Errorf("%d entries after a step, more %t, %v; want %d", got, more, err, want)
		}
	}
}

func TestSequenceRefusesWhatItCannotVouchFor(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		tamper func(t *testing.T, db *database)
		code   string
	}{
		"a tree that was never signed": {func(t *testing.T, db *database) {
			var other audit.Tree
			other.Append(make([]audit.Hash, 4)...)
			packed, err := other.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			db.exec(`UPDATE audit_checkpoint SET tree = $1`, packed)
		}, ""},
		"a note that was never signed": {func(_ *testing.T, db *database) {
			db.exec(`UPDATE audit_checkpoint SET note = overlay(note PLACING 'x'::bytea FROM 60)`)
		}, ""},
		"no tree at all":    {func(_ *testing.T, db *database) { db.exec(`UPDATE audit_checkpoint SET tree = ''`) }, ""},
		"a lost checkpoint": {func(_ *testing.T, db *database) { db.exec(`DELETE FROM audit_checkpoint`) }, "internal"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := setup(t)
			n := newNotary(t)
			db.commit(start, lookups(4))
			db.sequence(n, 10)
			db.commit(start, lookups(2))
			c.tamper(t, db)
			more, err := db.Sequence(t.Context(), 10, start, n)
			if err == nil || more || c.code != "" && privacy.CodeOf(err) != c.code {
				t.Errorf("more %t, error %v", more, err)
			}
			if privacy.KindOf(err) == privacy.KindUnavailable {
				t.Errorf("trying again will not help: %v", err)
			}
			if got := len(db.logged()); got != 4 {
				t.Errorf("the log has %d leaves, and had 4", got)
			}
		})
	}
}

// sealed is a notary whose key is out of reach.
type sealed struct{ notary }

var errSealed = errors.New("sealed")

func (sealed) Sign(*audit.Tree) ([]byte, error) { return nil, errSealed }

func TestSequenceLeavesNothingBehindWhenItCannotSign(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	db.commit(start, lookups(3))
	if more, err := db.Sequence(t.Context(), 10, start, sealed{n}); err == nil || more {
		t.Errorf("more %t, error %v", more, err)
	}
	if len(db.logged()) != 0 {
		t.Error("unsigned leaves are in the log")
	}
	db.sequence(n, 10)
	if len(db.logged()) != 3 {
		t.Error("the entries did not get into the log afterwards")
	}
}

// Proofs made from the stored leaves and tiles hold against the signed roots.
func TestProofsHoldAgainstTheSignedRoot(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	var signed []audit.Checkpoint
	for _, size := range []int{1, 2, 254, 3, 700, 140} { // past several borders of tiles
		db.commit(start, lookups(size))
		db.sequence(n, 10)
		stored, err := db.LatestCheckpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkpoint, err := audit.ParseCheckpoint(stored.Note, origin, []audit.Key{n.key})
		if err != nil || checkpoint.Size != stored.Size {
			t.Fatal(checkpoint.Size, stored.Size, err)
		}
		signed = append(signed, checkpoint)
	}
	last := signed[len(signed)-1]
	if last.Size != 1100 {
		t.Fatalf("the log has %d entries", last.Size)
	}
	for index := uint64(0); index < last.Size; index += 37 {
		name := db.logged()[index]
		if found, err := db.LeafIndex(t.Context(), name); err != nil || found != index {
			t.Fatalf("entry %v is at %d, %v; want %d", name, found, err, index)
		}
		entry, err := db.AuditEntry(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		path, err := audit.InclusionProof(t.Context(), db, index, last.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := audit.VerifyInclusion(entry.LeafHash(), index, last.Size, path, last.Root); err != nil {
			t.Errorf("entry %d: %v", index, err)
		}
		if err := audit.VerifyInclusion(entry.LeafHash(), (index+1)%last.Size, last.Size, path, last.Root); err == nil {
			t.Errorf("entry %d is proved at another place too", index)
		}
	}
	for _, earlier := range signed {
		path, err := audit.ConsistencyProof(t.Context(), db, earlier.Size, last.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := audit.VerifyConsistency(earlier.Size, last.Size, path, earlier.Root, last.Root); err != nil {
			t.Errorf("from %d: %v", earlier.Size, err)
		}
	}
	_, err := db.LeafIndex(t.Context(), audit.EntryName{BatchID: audit.BatchID{1}})
	wantCode(t, err, privacy.KindNotFound, "entry_not_in_log")
}

func TestLatestCheckpointOfAnEmptyLog(t *testing.T) {
	t.Parallel()
	checkpoint, err := setup(t).LatestCheckpoint(t.Context())
	if err != nil || checkpoint.Size != 0 || checkpoint.Note != nil {
		t.Errorf("got %v, %v", checkpoint, err)
	}
}

var _ audit.HashReader = (*store.Store)(nil)
