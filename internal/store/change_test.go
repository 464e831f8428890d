package store_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// event makes an event about a subject.
func event(t testing.TB, id privacy.SubjectID, kind privacy.EventKind, purpose privacy.PurposeName) privacy.Event {
	t.Helper()
	name, err := privacy.NewUUIDv7(start, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return privacy.Event{ID: name, Kind: kind, At: start, Subject: id, Purpose: purpose, Detail: privacy.EventDetail{Status: privacy.ConsentWithdrawn, Record: "r"}}
}

// change commits an event of a locked subject.
func (db *database) change(e privacy.Event) {
	db.t.Helper()
	db.write(func(tx *store.Tx) error {
		if _, err := tx.LockSubject(db.t.Context(), e.Subject); err != nil {
			return err
		}
		return tx.AppendChange(db.t.Context(), e)
	})
}

// relay copies the whole outbox to the log.
func (db *database) relay() {
	db.t.Helper()
	for {
		n, err := db.Relay(db.t.Context(), 7, start, time.Minute)
		if err != nil {
			db.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// changeLog reads the ids of the log in order of the index, and makes sure that it is dense.
func (db *database) changeLog() (ids [][16]byte) {
	db.t.Helper()
	rows, err := db.owner.Query(db.t.Context(), `SELECT index, change_id FROM change_log ORDER BY index`)
	if err != nil {
		db.t.Fatal(err)
	}
	var index int64
	var id [16]byte
	_, err = pgx.ForEachRow(rows, []any{&index, &id}, func() error {
		if ids = append(ids, id); index != int64(len(ids)) {
			return fmt.Errorf("index %d is not dense", index)
		}
		return nil
	})
	if err != nil {
		db.t.Fatal(err)
	}
	return ids
}

func (db *database) outbox() (n int) {
	db.t.Helper()
	if err := db.owner.QueryRow(db.t.Context(), `SELECT count(*) FROM change`).Scan(&n); err != nil {
		db.t.Fatal(err)
	}
	return n
}

// What is rolled back tells nobody anything; what is committed is told once.
func TestChangeGoesOutWithItsTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	kept := event(t, id, privacy.EventConsentGranted, "marketing.email")
	db.change(kept)
	refused := errors.New("refused")
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.AppendChange(t.Context(), event(t, id, privacy.EventConsentWithdrawn, "marketing.email")); err != nil {
			return err
		}
		return privacy.Internal(refused, "test")
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	select {
	case <-db.Changes():
	default:
		t.Error("a committed change was not signalled")
	}
	db.relay()
	if logged := db.changeLog(); len(logged) != 1 || logged[0] != kept.ID {
		t.Errorf("the log has %d events", len(logged))
	}
	if n := db.outbox(); n != 0 {
		t.Errorf("%d rows are left in the outbox", n)
	}
}

// A relay that died between the two transactions leaves rows that were logged: they are deleted, not logged twice.
func TestRelayIsIdempotent(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	for range 20 {
		db.change(event(t, id, privacy.EventConsentGranted, "marketing.email"))
	}
	db.exec(`CREATE TABLE kept AS SELECT * FROM change`)
	db.relay()
	before := db.changeLog()
	db.exec(`INSERT INTO change SELECT * FROM kept WHERE number % 2 = 0`)
	fresh := event(t, id, privacy.EventConsentWithdrawn, "marketing.email")
	db.change(fresh)
	db.relay()
	if after := db.changeLog(); !slices.Equal(after, append(before, fresh.ID)) {
		t.Errorf("the log went from %d to %d events", len(before), len(after))
	}
	if n := db.outbox(); n != 0 {
		t.Errorf("%d rows are left in the outbox", n)
	}
}

// Many write about few subjects while several relays run: each subject's events are logged in the order in
// which they were committed, each once, without a gap.
func TestRelayKeepsTheOrderOfEachSubject(t *testing.T) {
	t.Parallel()
	db := setup(t)
	const (
		subjects = 3
		writers  = 6
		each     = 25
	)
	var mu sync.Mutex
	committed := map[privacy.SubjectID][][16]byte{} // in the order in which the subject was held
	var ids []privacy.SubjectID
	for range subjects {
		ids = append(ids, db.subject())
	}
	var writing, relaying sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		other := open(t, db.url)
		relaying.Go(func() {
			for {
				n, err := other.Relay(t.Context(), 5, start, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					if n == 0 {
						return
					}
				default:
				}
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				id := ids[(w+i)%subjects]
				e := event(t, id, privacy.EventConsentGranted, "marketing.email")
				err := db.Write(t.Context(), func(tx *store.Tx) error {
					if _, err := tx.LockSubject(t.Context(), id); err != nil {
						return err
					}
					mu.Lock() // the subject is ours, so this is the order of commits
					committed[id] = append(committed[id], e.ID)
					mu.Unlock()
					return tx.AppendChange(t.Context(), e)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	relaying.Wait()
	db.relay()
	order := db.changeLog()
	if len(order) != writers*each {
		t.Fatalf("%d events are logged, want %d", len(order), writers*each)
	}
	for _, want := range committed {
		got := slices.DeleteFunc(slices.Clone(order), func(id [16]byte) bool { return !slices.Contains(want, id) })
		if !slices.Equal(got, want) {
			t.Error("a subject's events are out of order")
		}
	}
}
