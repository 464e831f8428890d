package store_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// decide puts a record for each purpose on the ledger of a subject, and gives their names.
func (db *database) decide(id privacy.SubjectID, purposes ...privacy.PurposeName) (names [][16]byte) {
	db.t.Helper()
	db.write(func(tx *store.Tx) error {
		w := &store.Writes{}
		for i, purpose := range purposes {
			record := store.ConsentRecord{Seq: int32(i + 1), ID: [16]byte{id[15], id[14], byte(i + 1)}, Purpose: purpose, Action: privacy.ActionGrant, By: privacy.BySelf, OccurredAt: start, RecordedAt: start, Hash: []byte{id[15], byte(i)}}
			w.AppendConsent(id, &record)
			w.PutConsentState(id, &store.ConsentState{Purpose: purpose, Seq: record.Seq, Status: privacy.ConsentGranted, By: privacy.BySelf, OccurredAt: start, UpdatedAt: start})
			names = append(names, record.ID)
		}
		return tx.Send(db.t.Context(), w)
	})
	return names
}

// What is told of several ledgers is the same whether they are looked at together or, as Citus wants it, one by one; and nobody is waited for.
func TestLedgersAreToldTogetherAsOneByOne(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.exec(`INSERT INTO revision VALUES (repeat('a', 64), '', 'test', now())`)
	db.exec(`INSERT INTO publication VALUES (1, repeat('a', 64), 'test', now())`)
	fresh, one, many, again, erased, held, nobody := db.subject(), db.subject(), db.subject(), db.subject(), db.subject(), db.subject(), privacy.SubjectID{7}
	db.decide(one, "marketing.email")
	db.decide(many, "marketing.email", "sales.outreach", "marketing.sms")
	name := db.decide(again, "marketing.email")[0]
	db.exec(`UPDATE subject SET erased_at = now() WHERE subject_id = $1`, [16]byte(erased))
	tx, err := db.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it ends with the connection
	if _, err := tx.Exec(t.Context(), `SELECT FROM subject WHERE subject_id = $1 FOR UPDATE`, [16]byte(held)); err != nil {
		t.Fatal(err)
	}
	questions := []store.LedgerQuestion{
		{Subject: many, Purpose: "marketing.email"}, {Subject: fresh, Purpose: "marketing.email"}, {Subject: held, Purpose: "marketing.email"}, {Subject: again, Purpose: "sales.outreach", Record: name},
		{Subject: nobody, Purpose: "marketing.email"}, {Subject: one, All: true, Record: [16]byte{9}}, {Subject: erased, Purpose: "marketing.email"},
	}
	ask := func(questions []store.LedgerQuestion) (told []store.LedgerHead) {
		t.Helper()
		err := db.WriteLedgers(t.Context(), questions, func(heads []store.LedgerHead, _ *store.Writes) error {
			told = heads
			return nil // nothing is written
		})
		if err != nil {
			t.Fatal(err)
		}
		return told
	}
	together := ask(questions)
	everything := ask([]store.LedgerQuestion{{Subject: fresh}, {Subject: many, All: true}})
	db.Distribute()
	if apart := ask(questions); !reflect.DeepEqual(together, apart) {
		t.Errorf("together %+v, one by one %+v", together, apart)
	}
	if n := len(everything[1].States); n != 3 || len(everything[0].States) != 0 {
		t.Errorf("asked about every purpose, %d states are told", n)
	}
	type told struct {
		subject        privacy.SubjectID
		states         int
		seq            int32
		known, busy    bool
		hashed, policy bool
	}
	for i, want := range []told{
		{many, 1, 3, false, false, true, true}, {fresh, 0, 0, false, false, false, true}, {privacy.SubjectID{}, 0, 0, false, true, false, true}, {again, 0, 1, true, false, true, true},
		{privacy.SubjectID{}, 0, 0, false, true, false, true}, {one, 1, 1, false, false, true, true}, {privacy.SubjectID{}, 0, 0, false, false, false, true},
	} {
		h := together[i]
		if got := (told{h.Subject.ID, len(h.States), h.Seq, h.Known, h.Busy, h.Hash != nil, h.Revision != ""}); got != want {
			t.Errorf("of question %d is told %+v, want %+v", i, got, want)
		}
	}
}

// Whoever shows the same idempotency key as somebody who is writing is not waited for either.
func TestLedgersDoNotWaitForAKey(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.exec(`INSERT INTO revision VALUES (repeat('a', 64), '', 'test', now())`)
	db.exec(`INSERT INTO publication VALUES (1, repeat('a', 64), 'test', now())`)
	one, two := db.subject(), db.subject()
	key := &store.IdempotencyKey{Client: "shop", Key: "k-1", Fingerprint: [32]byte{1}}
	err := db.WriteLedgers(t.Context(), []store.LedgerQuestion{{Subject: one, Purpose: "marketing.email", Key: key}}, func(held []store.LedgerHead, _ *store.Writes) error {
		if held[0].Busy {
			t.Error("who comes first does not get the key")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return db.WriteLedgers(ctx, []store.LedgerQuestion{{Subject: two, Purpose: "marketing.email", Key: key}}, func(heads []store.LedgerHead, _ *store.Writes) error {
			if !heads[0].Busy {
				t.Error("the same key was given twice")
			}
			return nil
		})
	})
	if err != nil {
		t.Errorf("somebody waited: %v", err)
	}
}
