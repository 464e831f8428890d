package store_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// The statements of the read path use indexes, however large the tables and whether PostgreSQL
// plans for the arguments at hand or for any. What is explained is what the calls sent.
func TestPlansOfTheReadPathUseIndexes(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.exec(`INSERT INTO subject SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n, 1, 's', now(), now() FROM generate_series(1, 20000) n`)
	db.exec(`INSERT INTO attribute_value SELECT subject_id, a, 1, 'sealed', 'test', now(), NULL, now() FROM subject, generate_series(1, 5) a`)
	db.exec(`INSERT INTO consent_record SELECT subject_id, 1, gen_random_uuid(), 'marketing.email', 'grant', false, '{}', 'self', '', '', now(), NULL, 'crm', now() FROM subject`)
	db.exec(`INSERT INTO consent_state SELECT subject_id, 'marketing.email', 1, 'granted', false, '{}', 'self', now(), NULL, now() FROM subject`)
	db.exec(`INSERT INTO identifier SELECT 1, substr(sha256(subject_id::text::bytea), 1, 16), subject_id FROM subject`)
	db.exec(`INSERT INTO audit_entry SELECT gen_random_uuid(), 0, now(), 'disclosure', 'crm', '', subject_id, 'marketing.email', NULL, '{}', '{}' FROM subject`)
	db.exec(`INSERT INTO audit_run SELECT gen_random_uuid(), 0, now(), 'disclosure', 'crm', '', 'marketing.email', '{}', '{}', array_agg(subject_id), array_agg(0), '{}'
		FROM (SELECT subject_id, row_number() OVER () / 20 AS run FROM subject) s, generate_series(1, 10) again GROUP BY run, again`)
	db.exec(`INSERT INTO revision VALUES (repeat('a', 64), '', 'test', now())`)
	db.exec(`INSERT INTO publication VALUES (1, repeat('a', 64), 'test', now())`)
	db.exec(`VACUUM ANALYZE`)

	someone := func(n int) (ids []privacy.SubjectID) {
		for i := range n {
			id, err := privacy.ParseSubjectID(fmt.Sprintf("00000000-0000-7000-8000-%012x", 1+i*19))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		return ids
	}
	keys := make([]store.IdentifierKey, 50)
	for i := range keys {
		keys[i] = store.IdentifierKey{Type: 1, Index: store.BlindIndex{byte(i)}}
	}
	reads := map[string]func(s *store.Store) error{
		"disclosure of one":  func(s *store.Store) error { return disclose(t, s, someone(1)) },
		"disclosure of many": func(s *store.Store) error { return disclose(t, s, someone(50)) },
		"lookup of one":      func(s *store.Store) error { _, err := s.FindSubjects(t.Context(), keys[:1]); return err },
		"lookup of many":     func(s *store.Store) error { _, err := s.FindSubjects(t.Context(), keys); return err },
		"entries of a subject": func(s *store.Store) error {
			_, _, err := s.AuditEntries(t.Context(), store.AuditFilter{Subject: someone(1)[0], Limit: 50})
			return err
		},
		"newest entries": func(s *store.Store) error {
			_, _, err := s.AuditEntries(t.Context(), store.AuditFilter{Limit: 50})
			return err
		},
		"next page of entries": func(s *store.Store) error {
			_, _, err := s.AuditEntries(t.Context(), store.AuditFilter{Before: audit.EntryName{BatchID: audit.BatchID{0x80}}, Limit: 50})
			return err
		},
		"entries of a client": func(s *store.Store) error {
			_, _, err := s.AuditEntries(t.Context(), store.AuditFilter{Client: "nobody", Purpose: "nothing", Limit: 50, Within: 1000})
			return err
		},
		"ledger":          func(s *store.Store) error { return lookAtLedgers(t, s, someone(1)) },
		"several ledgers": func(s *store.Store) error { return lookAtLedgers(t, s, someone(50)) },
		"history":         func(s *store.Store) error { _, err := s.ConsentHistory(t.Context(), someone(1)[0], 0, 10); return err },
	}
	sent := &recorder{}
	s, err := store.Open(t.Context(), store.Config{URL: db.url, Tracer: sent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for name, read := range reads {
		sent.statements = nil
		if err := read(s); err != nil {
			t.Fatal(err)
		}
		for _, statement := range sent.statements {
			noScan(t, name, db.explain("EXPLAIN "+statement.sql, statement.args...))
			if strings.Contains(name, "entries") {
				continue // a filter that may be absent has no one good plan, and PostgreSQL does not choose one
			}
			db.exec("SET plan_cache_mode = force_generic_plan")
			db.exec("PREPARE sent AS " + statement.sql)
			nothing := "(" + strings.TrimSuffix(strings.Repeat("NULL,", len(statement.args)), ",") + ")"
			noScan(t, name+", for any arguments", db.explain("EXPLAIN EXECUTE sent"+strings.TrimSuffix(nothing, "()")))
			db.exec("DEALLOCATE sent")
			db.exec("RESET plan_cache_mode")
		}
	}
}

var scans = regexp.MustCompile(`Seq Scan on (subject|attribute_value|consent_state|consent_record|identifier|audit_entry|audit_run)\b`)

func noScan(t *testing.T, what, plan string) {
	t.Helper()
	if !strings.Contains(plan, "Scan") {
		t.Errorf("%s: this is no plan:\n%.2000s", what, plan)
	}
	if scan := scans.FindString(plan); scan != "" {
		t.Errorf("%s: %s in\n%.2000s", what, scan, plan)
	}
}

func (db *database) explain(sql string, args ...any) string {
	db.t.Helper()
	rows, err := db.owner.Query(db.t.Context(), sql, args...)
	if err != nil {
		db.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		db.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// recorder is a tracer that remembers the statements it sees.
type recorder struct{ statements []statement }

type statement struct {
	sql  string
	args []any
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.see(data.SQL, data.Args)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.see(data.SQL, data.Args)
}

func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (r *recorder) see(sql string, args []any) {
	if sql != "" && sql != "begin" && sql != "rollback" && !strings.HasPrefix(sql, "--") { // a ping
		r.statements = append(r.statements, statement{sql, args})
	}
}

func disclose(t *testing.T, s *store.Store, ids []privacy.SubjectID) error {
	_, snapshots, err := s.ReadForDisclosure(t.Context(), "marketing.email", []privacy.AttributeID{1, 2, 3}, ids, start)
	for i := range snapshots {
		if id := snapshots[i].Subject.ID; id != ids[i] || len(snapshots[i].Values) != 3 {
			t.Errorf("subject %d of %d was read as %v with %d values", i, len(ids), id, len(snapshots[i].Values))
		}
	}
	return err
}

// lookAtLedgers reads where ledgers end, and writes nothing.
func lookAtLedgers(t *testing.T, s *store.Store, ids []privacy.SubjectID) error {
	questions := make([]store.LedgerQuestion, len(ids))
	for i, id := range ids {
		questions[i] = store.LedgerQuestion{Subject: id, Purpose: "marketing.email", Record: [16]byte{1}}
	}
	return s.WriteLedgers(t.Context(), questions, func(heads []store.LedgerHead, _ *store.Writes) error {
		for i := range heads {
			if heads[i].Seq != 1 || len(heads[i].States) != 1 {
				t.Errorf("ledger %d of %d ends as %+v", i, len(ids), heads[i])
			}
		}
		return nil
	})
}
