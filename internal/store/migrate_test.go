package store_test

import (
	"testing"

	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMigrateFromZeroAndAgain(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	before, err := store.Migrations(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range before {
		if !step.AppliedAt.IsZero() {
			t.Errorf("%s counts as applied to an empty database", step.Name)
		}
	}
	var applied []store.Migration
	for range 2 {
		if err := store.Migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		steps, err := store.Migrations(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range steps {
			if step.AppliedAt.IsZero() || applied != nil && !applied[i].AppliedAt.Equal(step.AppliedAt) {
				t.Errorf("%s was not applied exactly once", step.Name)
			}
		}
		applied = steps
	}
	if len(applied) == 0 || len(applied) != len(before) {
		t.Errorf("%d steps, %d before", len(applied), len(before))
	}
}

// Nodes of a deployment start together, each in its own session; and other databases of the same
// server, which share its roles, may be migrated at the same time.
func TestMigrateByManyAtOnce(t *testing.T) {
	t.Parallel()
	urls := []string{testenv.Postgres(t), testenv.Postgres(t)}
	failed := make(chan error)
	const nodes = 3
	for _, url := range urls {
		for range nodes {
			go func() { failed <- store.Migrate(t.Context(), url) }()
		}
	}
	for range nodes * len(urls) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	for _, url := range urls {
		var steps, distinct int
		if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*), count(DISTINCT version_id) FROM goose_db_version`).Scan(&steps, &distinct); err != nil {
			t.Fatal(err)
		}
		if steps != distinct {
			t.Errorf("%d steps are recorded, %d of them distinct", steps, distinct)
		}
	}
}

func TestMigrateKeepsTheConnectionStringToItself(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://ada:hunter2@[::1", "postgres://ada:hunter2@localhost:1/none?connect_timeout=1"} {
		if err := store.Migrate(t.Context(), url); err == nil {
			t.Error("migrated nothing")
		} else {
			saysNothingOf(t, err, "hunter2")
		}
		if _, err := store.Open(t.Context(), store.Config{URL: url}); err == nil {
			t.Error("opened nothing")
		} else {
			saysNothingOf(t, err, "hunter2", "ada", "localhost")
		}
	}
}
