package store_test

import (
	"fmt"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A transaction that writes to workers and to the coordinator says so, whichever way it was begun: without, Citus
// may keep one half of it. What was written where is told by triggers, as the server saw it.
func TestTransactionsThatSpanNodesCommitInTwoPhases(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.Distribute()
	db.exec(`CREATE TABLE written (xact xid8 NOT NULL, place text NOT NULL)`)
	db.exec(`CREATE FUNCTION note_place() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
		$$ BEGIN INSERT INTO written VALUES (pg_current_xact_id(), TG_ARGV[0]); RETURN NULL; END $$`)
	for table, place := range placement {
		switch {
		case table == "commit_marker":
			place = "marked"
		case isDistributed(place):
			place = "worker"
		case place == local:
			place = "coordinator"
		default:
			continue // a reference table is written in two phases in any case
		}
		db.exec(fmt.Sprintf(`CREATE TRIGGER note_place AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION note_place('%s')`, table, place))
	}

	db.exec(`INSERT INTO revision VALUES (repeat('a', 64), '', 'test', now())`)
	db.exec(`INSERT INTO publication VALUES (1, repeat('a', 64), 'test', now())`)
	key := store.IdempotencyKey{Client: "crm", Key: "k"}
	answer := []byte(`{}`)
	id := db.subject()
	entries := func() audit.Batch { return batch(t, start, lookups(1)) }
	writes := map[string]func() error{
		"audit entries alone": func() error { _, err := db.CommitAudit(t.Context(), entries()); return err },
		"a decision": func() error {
			_, err := db.CommitAudit(t.Context(), batch(t, start, lookups(1), audit.Decision{Revision: "r", Input: []byte(`{}`), Outcome: []byte(`{}`)}))
			return err
		},
		"entries beside a change": func() error {
			return db.Write(t.Context(), func(tx *store.Tx) error { return tx.AppendAudit(t.Context(), entries()) })
		},
		"an answer beside a change": func() error {
			return db.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.UpdateSubject(t.Context(), store.Subject{ID: id, Version: 2, State: []byte("state")}, start); err != nil {
					return err
				}
				return tx.Remember(t.Context(), key, answer, start)
			})
		},
		"a job beside a change": func() error {
			return db.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.AppendChange(t.Context(), privacy.Event{ID: [16]byte{1}, Subject: id, Kind: privacy.EventConsentGranted, At: start}); err != nil {
					return err
				}
				return tx.Enqueue(t.Context(), store.DeliverArgs{})
			})
		},
		"a ledger": func() error {
			return db.WriteLedger(t.Context(), store.LedgerQuestion{Subject: id}, func(_ *store.LedgerHead, w *store.Writes) error {
				w.AppendAudit(entries())
				w.Remember(store.IdempotencyKey{Client: "crm", Key: "l"}, answer, start)
				return nil
			})
		},
	}
	for name, write := range writes {
		db.exec(`DELETE FROM written WHERE true OR $1`, false)
		if err := write(); err != nil {
			t.Fatal(name, err)
		}
		if spans := db.strings(`SELECT xact::text FROM written GROUP BY xact HAVING bool_or(place = 'worker') AND bool_or(place = 'coordinator')`); len(spans) != 1 {
			t.Errorf("%s: %d transactions span nodes", name, len(spans))
		}
		for range db.strings(`SELECT xact::text FROM written GROUP BY xact
			HAVING bool_or(place = 'worker') AND bool_or(place = 'coordinator') AND NOT bool_or(place = 'marked')`) {
			t.Errorf("%s: what spans nodes is not committed in two phases", name)
		}
	}
}
