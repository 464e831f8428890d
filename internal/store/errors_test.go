package store_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// saysNothingOf looks for words in an error and in every cause of it.
func saysNothingOf(t *testing.T, err error, words ...string) {
	t.Helper()
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		for _, word := range words {
			if strings.Contains(cause.Error(), word) {
				t.Errorf("the error tells %q: %v", word, cause)
			}
		}
	}
}

func wantCode(t *testing.T, err error, kind privacy.Kind, code string) {
	t.Helper()
	if err == nil || privacy.KindOf(err) != kind || privacy.CodeOf(err) != code {
		t.Errorf("got %v, want kind %d, code %s", err, kind, code)
	}
}

// appendConsent puts a record on a ledger, the first unless it says otherwise.
func appendConsent(t *testing.T, tx *store.Tx, id privacy.SubjectID, record store.ConsentRecord) error {
	t.Helper()
	record.Seq = max(record.Seq, 1)
	w := &store.Writes{}
	w.AppendConsent(id, &record)
	return tx.Send(t.Context(), w)
}

// PostgreSQL tells the offending row in the detail of an error, and the value in its message.
func TestErrorsCarryNoRowContent(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	record := store.ConsentRecord{ID: [16]byte{1}, Purpose: "secret-purpose", Action: "grant", By: "self", Channel: "secret-channel", OccurredAt: start, RecordedAt: start}
	broken := map[string]func(tx *store.Tx) error{
		"unique": func(tx *store.Tx) error {
			for range 2 {
				if err := appendConsent(t, tx, id, record); err != nil {
					return err
				}
			}
			return nil
		},
		"check": func(tx *store.Tx) error {
			bad := record
			bad.Action = "secret-action"
			return appendConsent(t, tx, id, bad)
		},
		"foreign key": func(tx *store.Tx) error {
			return appendConsent(t, tx, privacy.SubjectID{0xab}, record)
		},
		"encoding": func(tx *store.Tx) error {
			bad := record
			bad.Channel = "secret\x00"
			return appendConsent(t, tx, id, bad)
		},
		"copy": func(tx *store.Tx) error {
			return tx.InsertSubjects(t.Context(), []store.NewSubject{{Subject: store.Subject{ID: id, Version: 1, State: []byte("secret")}}}, start)
		},
	}
	for name, work := range broken {
		t.Run(name, func(t *testing.T) {
			err := db.Write(t.Context(), work)
			wantCode(t, err, privacy.KindInternal, "internal")
			saysNothingOf(t, err, "secret", id.String(), "ab000000", "consent_record", "7365")
		})
	}
}

// Two transactions take the same two subjects in opposite order: PostgreSQL ends one of them, and
// it is run again.
func TestWriteRunsAgainAfterADeadlock(t *testing.T) {
	t.Parallel()
	db := setup(t)
	ids := [2]privacy.SubjectID{db.subject(), db.subject()}
	var runs atomic.Int32
	var bothHold, done sync.WaitGroup
	bothHold.Add(2)
	for n := range 2 {
		first := sync.OnceFunc(func() { bothHold.Done(); bothHold.Wait() })
		done.Go(func() {
			err := db.Write(t.Context(), func(tx *store.Tx) error {
				runs.Add(1)
				for _, id := range []privacy.SubjectID{ids[n], ids[1-n]} {
					row, err := tx.LockSubject(t.Context(), id)
					if err != nil {
						return err
					}
					first()
					row.Version++
					if err := tx.UpdateSubject(t.Context(), row, start); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if runs.Load() < 3 {
		t.Errorf("%d runs: none of the two met a deadlock", runs.Load())
	}
	for _, id := range ids {
		db.write(func(tx *store.Tx) error {
			row, err := tx.LockSubject(t.Context(), id)
			if row.Version != 3 {
				t.Errorf("version %d after two writes to version 1", row.Version)
			}
			return err
		})
	}
}

func TestWriteGivesUpOnALastingConflict(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.exec(`CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '40001'; END $$`)
	db.exec(`ALTER TABLE consent_record ADD CHECK (fail())`)
	id, runs := db.subject(), 0
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		runs++
		return appendConsent(t, tx, id, store.ConsentRecord{ID: [16]byte{1}, Purpose: "p", Action: "grant", By: "self", OccurredAt: start, RecordedAt: start})
	})
	wantCode(t, err, privacy.KindUnavailable, "database_busy")
	saysNothingOf(t, err, "secret")
	if runs != 10 {
		t.Errorf("%d runs, want 10", runs)
	}
}

// A caller who leaves while the work is done stops it; one who leaves when it is done does not: the
// answer to a write is never a guess.
func TestWriteAndACallerWhoLeaves(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	for _, atTheEnd := range []bool{false, true} {
		ctx, leave := context.WithCancel(t.Context())
		before := db.version(id)
		err := db.Write(ctx, func(tx *store.Tx) error {
			row, err := tx.LockSubject(ctx, id)
			if err != nil {
				return err
			}
			if !atTheEnd {
				leave()
			}
			row.Version++
			err = tx.UpdateSubject(ctx, row, start)
			leave()
			return err
		})
		after := db.version(id)
		if written := after != before; written != (err == nil) || written != atTheEnd {
			t.Errorf("leaving at the end %t: written %t, error %v", atTheEnd, written, err)
		}
		leave()
	}
}

func (db *database) version(id privacy.SubjectID) (version int64) {
	db.t.Helper()
	if err := db.owner.QueryRow(db.t.Context(), `SELECT version FROM subject WHERE subject_id = $1`, [16]byte(id)).Scan(&version); err != nil {
		db.t.Fatal(err)
	}
	return version
}

func TestOpenRefusesAReadOnlyServer(t *testing.T) {
	t.Parallel()
	db := setup(t)
	login, err := url.Parse(testenv.Login(t, db.url, "consentry_app"))
	if err != nil {
		t.Fatal(err)
	}
	db.exec(`ALTER ROLE ` + login.User.Username() + ` SET default_transaction_read_only = on`)
	_, err = store.Open(t.Context(), store.Config{URL: login.String(), ConnectTimeout: 2 * time.Second})
	wantCode(t, err, privacy.KindUnavailable, "database_unavailable")
}
