package store_test

import (
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

func TestUpdateSubjectRefusesAStaleVersion(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	for _, version := range []uint32{1, 3, 4294967295} {
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			return tx.UpdateSubject(t.Context(), store.Subject{ID: id, Version: version, State: []byte("other")}, start)
		})
		wantCode(t, err, privacy.KindConflict, "version_conflict")
	}
	if db.version(id) != 1 {
		t.Error("a refused update was written")
	}
}

func TestUpdateSubjectLosesNoUpdate(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	const writers, each = 8, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				err := db.Write(t.Context(), func(tx *store.Tx) error {
					row, err := tx.LockSubject(t.Context(), id)
					if err != nil {
						return err
					}
					row.Version++
					return tx.UpdateSubject(t.Context(), row, start)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := db.version(id); got != 1+writers*each {
		t.Errorf("version %d after %d writes", got, writers*each)
	}
}

func TestLockSubjectOfNobody(t *testing.T) {
	t.Parallel()
	err := setup(t).Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.LockSubject(t.Context(), privacy.SubjectID{1})
		return err
	})
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
}

// Of several who claim overlapping identifiers in one transaction each, one gets each, and no two wait
// for each other for ever.
func TestClaimIdentifiersOnce(t *testing.T) {
	t.Parallel()
	db := setup(t)
	const claimants, identifiers = 6, 40
	key := func(n int) store.IdentifierKey { return store.IdentifierKey{Type: 1, Index: store.BlindIndex{byte(n)}} }
	var all sync.WaitGroup
	var mu sync.Mutex
	won := map[store.IdentifierKey]privacy.SubjectID{}
	for c := range claimants {
		all.Go(func() {
			id := privacy.SubjectID{byte(c + 1)}
			claims := map[store.IdentifierKey]privacy.SubjectID{}
			for n := range identifiers {
				if n%claimants != c { // each leaves out others
					claims[key(n)] = id
				}
			}
			var lost map[store.IdentifierKey]bool
			err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
				lost, err = tx.ClaimIdentifiers(t.Context(), claims)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for k := range claims {
				if lost[k] {
					continue
				}
				if !won[k].IsZero() {
					t.Errorf("two won one identifier")
				}
				won[k] = id
			}
		})
	}
	all.Wait()
	keys := make([]store.IdentifierKey, identifiers)
	for n := range keys {
		keys[n] = key(n)
	}
	found, err := db.FindSubjects(t.Context(), append(keys, store.IdentifierKey{Type: 2, Index: keys[0].Index}))
	if err != nil || len(found) != identifiers {
		t.Fatalf("found %d, %v", len(found), err)
	}
	for k, id := range found {
		if won[k] != id {
			t.Error("an identifier belongs to somebody who was told they lost it")
		}
	}
}

func TestNextSlotsAreNeverRepeated(t *testing.T) {
	t.Parallel()
	db := setup(t)
	var mu sync.Mutex
	seen := map[privacy.KeySlot]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			slots, err := db.NextSlots(t.Context(), 25)
			if err != nil || len(slots) != 25 {
				t.Errorf("%d slots, %v", len(slots), err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, slot := range slots {
				if seen[slot] || slot < 0 {
					t.Errorf("slot %d was given out twice, or is none", slot)
				}
				seen[slot] = true
			}
		})
	}
	all.Wait()
}

func TestConsentHistoryPages(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id, other := db.subject(), db.subject()
	for n := range 7 {
		for _, who := range []privacy.SubjectID{id, other} {
			db.write(func(tx *store.Tx) error {
				return appendConsent(t, tx, who, store.ConsentRecord{Seq: int32(n + 1), ID: [16]byte{byte(n + 1)}, Purpose: "p", Action: "grant", By: "self", OccurredAt: start, RecordedAt: start})
			})
		}
	}
	var before, seen int32
	for seen = 7; ; {
		page, err := db.ConsentHistory(t.Context(), id, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if r.Seq != seen {
				t.Errorf("number %d, want %d", r.Seq, seen)
			}
			seen--
			before = r.Seq
		}
		if len(page) < 3 {
			break
		}
	}
	if seen != 0 {
		t.Errorf("%d records were left out", seen)
	}
}
