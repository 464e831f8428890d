package main

import (
	"errors"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// TestRoles sets a database up as deploy/README.md tells and tries what each of its users may do.
func TestRoles(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	server := testenv.OwnPostgres(t, testenv.Volatile)
	as(t, server.URL("postgres"), "CREATE DATABASE consentry", "")
	super := server.URL("consentry")
	// A quote in a password is the script's to escape.
	roles := func() {
		t.Helper()
		command := exec.CommandContext(t.Context(), psql, "--no-psqlrc", "--quiet", "--dbname="+super, "--file="+filepath.Join(deploy, "postgres", "roles.sql"))
		command.Env = append(command.Environ(), "OWNER_PASSWORD=owner", "SERVICE_PASSWORD=it's", "AUDITOR_PASSWORD=auditor")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("roles.sql: %v\n%s", err, out)
		}
	}
	owner, service, auditor := userURL(t, super, "consentry_owner", "owner"), userURL(t, super, "consentry_service", "it's"), userURL(t, super, "consentry_auditor", "auditor")

	roles()
	if err := store.Migrate(t.Context(), owner); err != nil {
		t.Fatalf("migrate as the owner: %v", err)
	}
	roles() // harmless to repeat, and takes back what only the first migration needs

	const denied = "42501" // insufficient_privilege
	for _, try := range []struct{ who, url, statement, state string }{
		{"owner", owner, "CREATE ROLE another", denied},
		{"service", service, "INSERT INTO audit_batch VALUES (gen_random_uuid(), sha256('x'))", ""},
		{"service", service, "SELECT count(*) FROM audit_entry", ""},
		{"service", service, "UPDATE audit_entry SET client = 'x'", denied},
		{"service", service, "DELETE FROM audit_leaf", denied},
		{"service", service, "UPDATE consent_record SET action = 'grant'", denied},
		{"service", service, "TRUNCATE consent_record CASCADE", denied},
		{"service", service, "DROP TABLE audit_checkpoint", denied},
		{"service", service, "ALTER TABLE audit_entry DISABLE TRIGGER ALL", denied},
		{"service", service, "CREATE TABLE mine (n int)", denied},
		{"service", service, "SET ROLE consentry_owner", denied},
		{"auditor", auditor, "SELECT count(*) FROM audit_entry", ""},
		{"auditor", auditor, "SELECT count(*) FROM consent_record", ""},
		{"auditor", auditor, "INSERT INTO audit_batch VALUES (gen_random_uuid(), sha256('x'))", denied},
		{"auditor", auditor, "DELETE FROM audit_batch", denied},
		{"auditor", auditor, "UPDATE attribute_value SET source = 'x'", denied},
		{"auditor", auditor, "SELECT nextval('subject_key_slot')", denied},
	} {
		t.Run(try.who+" "+try.statement, func(t *testing.T) { as(t, try.url, try.statement, try.state) })
	}
}

// as runs a statement and expects an SQLSTATE, or none.
func as(t *testing.T, url, statement, state string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), statement)
	var refused *pgconn.PgError
	got := ""
	if errors.As(err, &refused) {
		got = refused.Code
	} else if err != nil {
		t.Fatal(err)
	}
	if got != state {
		t.Errorf("SQLSTATE %q, want %q (%v)", got, state, err)
	}
}

// userURL is the URL of the same database for another user.
func userURL(t *testing.T, text, user, password string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}
