package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/consentry/consentry/internal/testenv"
)

var verbs = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}

// What each role may do, by table; whatever is not listed it may not.
var (
	readAndAppend = []string{"SELECT", "INSERT"}
	readAndWrite  = []string{"SELECT", "INSERT", "UPDATE"}
	readAndErase  = []string{"SELECT", "INSERT", "DELETE"}
	anything      = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

	grants = map[string]map[string][]string{
		"consentry_app": {
			"change": {"SELECT", "INSERT", "DELETE"}, "change_log": readAndAppend,
			"processor": readAndWrite, "dispatch": readAndWrite, "delivery": anything,
			"river_job": anything, "river_leader": anything, "river_queue": anything, "river_migration": {}, "river_notification": {},

			"subject": readAndWrite, "identifier": readAndErase, "subject_identifier": anything, "attribute_value": anything,
			"rights_request": readAndWrite, "rights_detail": anything, "rights_code": anything, "rights_recipient": readAndWrite,
			"export": anything, "export_chunk": {"SELECT", "INSERT", "DELETE"}, "legal_hold": readAndWrite, "retention_run": readAndWrite, "spent_slot": readAndWrite, "erasure": readAndWrite, "part_certificate": readAndAppend, "suppression": readAndErase,
			"consent_evidence": anything, "notice": readAndAppend, "notice_draft": readAndWrite,
			"consent_record": readAndAppend, "consent_receipt": readAndAppend, "confirmation": anything, "message": {"SELECT", "INSERT", "UPDATE", "DELETE"}, "consent_state": {"SELECT", "INSERT", "UPDATE"},
			"decision": readAndAppend, "audit_entry": readAndAppend, "audit_run": readAndAppend, "audit_leaf": readAndAppend, "audit_tile": readAndAppend,
			"audit_checkpoint": readAndAppend, "audit_batch": {"SELECT", "INSERT", "DELETE"},
			"revision": readAndAppend, "publication": readAndAppend, "policy_draft": readAndWrite, "key_page": readAndAppend, "keyring_mark": readAndAppend, "segment": readAndAppend, "release": readAndAppend, "activation": readAndAppend,
			"idempotency": {"SELECT", "INSERT", "DELETE"}, "subject_signal": readAndWrite, "commit_marker": {"SELECT", "DELETE"}, "goose_db_version": {},
		},
		"consentry_reader": readerGrants(),
	}
)

func readerGrants() map[string][]string {
	list := map[string][]string{"commit_marker": {}, "goose_db_version": {},
		"river_job": {}, "river_leader": {}, "river_queue": {}, "river_migration": {}, "river_notification": {}}
	for table := range placement {
		if _, ok := list[table]; !ok {
			list[table] = []string{"SELECT"}
		}
	}
	return list
}

// Every table × every verb, as PostgreSQL sees it.
func TestRolesHaveWhatTheyNeedAndNoMore(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for role, tables := range grants {
		for table := range placement {
			allowed, ok := tables[table]
			if !ok {
				t.Errorf("say here what %s may do to %s", role, table)
			}
			for _, verb := range verbs {
				var has bool
				if err := db.owner.QueryRow(t.Context(), `SELECT has_table_privilege($1, $2, $3) OR CASE WHEN $3 IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN has_any_column_privilege($1, $2, $3) ELSE false END`, role, table, verb).Scan(&has); err != nil {
					t.Fatal(err)
				}
				if want := slices.Contains(allowed, verb); has != want {
					t.Errorf("%s on %s by %s: granted %t, want %t", verb, table, role, has, want)
				}
			}
		}
	}
}

// The same by trying: the ledger and the log take no change from a user of the service.
func TestRolesRefuseChangesOfTheLedger(t *testing.T) {
	t.Parallel()
	db := setup(t)
	app := connect(t, testenv.Login(t, db.url, "consentry_app"))
	for _, table := range []string{"consent_record", "consent_receipt", "subject_signal", "notice", "audit_entry", "audit_run", "decision", "audit_leaf", "audit_tile", "audit_checkpoint", "revision", "publication", "key_page", "segment", "release", "activation"} {
		var column string
		if err := db.owner.QueryRow(t.Context(), `SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1`, table).Scan(&column); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{"DELETE FROM " + table, "UPDATE " + table + " SET " + column + " = " + column, "TRUNCATE " + table, "DROP TABLE " + table, "ALTER TABLE " + table + " ADD extra text"} {
			wantRefused(t, app, statement)
		}
	}
}

func TestRolesCannotWidenThemselves(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for _, role := range []string{"consentry_app", "consentry_reader"} {
		user := connect(t, testenv.Login(t, db.url, role))
		wantRefused(t, user, "CREATE TABLE public.mine (n int)")
		if _, err := user.Exec(t.Context(), "GRANT DELETE ON consent_record TO "+role); err == nil { // PostgreSQL only warns
			wantRefused(t, user, "DELETE FROM consent_record")
		}
		wantRefused(t, user, "SET ROLE postgres")
		wantRefused(t, user, "CREATE ROLE another")
		var attributes string
		err := db.owner.QueryRow(t.Context(), `SELECT concat_ws(' ', rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication) FROM pg_roles WHERE rolname = $1`, role).Scan(&attributes)
		if err != nil || strings.Contains(attributes, "t") {
			t.Errorf("%s has powers: %s, %v", role, attributes, err)
		}
	}
	reader := connect(t, testenv.Login(t, db.url, "consentry_reader"))
	wantRefused(t, reader, "SELECT nextval('subject_key_slot')")
	for table := range placement {
		wantRefused(t, reader, "DELETE FROM "+table)
	}
}

func wantRefused(t *testing.T, user *pgx.Conn, statement string) {
	t.Helper()
	_, err := user.Exec(t.Context(), statement)
	pgErr, ok := err.(*pgconn.PgError) //nolint:errorlint // pgx returns it as it is
	if !ok || pgErr.Code != "42501" && pgErr.Code != "22023" {
		t.Errorf("%s: got %v, want insufficient privilege", statement, err)
	}
}
