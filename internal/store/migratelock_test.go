package store

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"github.com/consentry/consentry/internal/testenv"
)

// A migration that waits for a table gives way to those who wait behind it: the service goes on writing. It is done
// once the table is free.
func TestMigrateGivesWayToTheService(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	if err := migrateJobs(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	const before = 16 // the next one changes the table of subjects
	err := withProvider(url, func(p *goose.Provider) error {
		_, err := p.UpTo(t.Context(), before)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
	const insert = `INSERT INTO subject (subject_id, key_slot, version, state, created_at, updated_at) VALUES (gen_random_uuid(), 1, 1, 's', now(), now())`
	long, other := connect(), connect()
	tx, err := long.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Migrate(t.Context(), url) }()
	for waits := false; !waits; {
		if err := other.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'subject'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted)`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := other.Exec(ctx, insert); err != nil {
		t.Errorf("a write behind the migration: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
