package testenv

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/localserver"
)

// Durability says whether a server's commits survive a power cut.
type Durability bool

// Tests of logic use a Volatile server, which answers commits without waiting for the
// disk; benchmarks and tests of crashes use a Durable one, as production does.
const (
	Volatile Durability = false
	Durable  Durability = true
)

// Postgres gives the URL of a fresh, empty database on the shared server, for a
// superuser. The database goes with the test.
func Postgres(t testing.TB) string {
	t.Helper()
	return createDatabase(t, sharedPostgres(t), "")
}

// Template gives the URL of a fresh database that is a copy of one prepared once: the
// first test to ask has migrate prepare it, in whatever process. The key tells
// templates apart, so it must change with what migrate does; a hash of the migrations
// is a good key.
func Template(t testing.TB, key string, migrate func(url string) error) string {
	t.Helper()
	server := sharedPostgres(t)
	digest := sha256.Sum256([]byte(key))
	template := "template_" + hex.EncodeToString(digest[:8])
	if err := prepareTemplate(t.Context(), server, template, migrate); err != nil {
		t.Fatalf("prepare the template database: %v", err)
	}
	return createDatabase(t, server, template)
}

// OwnPostgres starts a server of the test's own, for tests that stop, crash or tune it.
func OwnPostgres(t testing.TB, durability Durability) *localserver.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	server, err := startPostgres(ctx, reachableFolder(t), durability)
	skipOrFail(t, err, localserver.ErrNoPostgres)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startLimit)
		defer cancel()
		if err := errors.Join(server.Stop(ctx), server.Remove()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func startPostgres(ctx context.Context, dir string, durability Durability) (*localserver.Postgres, error) {
	settings := map[string]string{"max_connections": "400"}
	if durability == Volatile {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}
	return localserver.StartPostgres(ctx, localserver.PostgresConfig{Dir: dir, Settings: settings})
}

// reachableFolder is a temporary folder that the database's account can walk to, unlike t.TempDir.
func reachableFolder(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "consentry-own-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o711); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	return folder
}

func sharedPostgres(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	server, err := servers.postgresURL(ctx)
	skipOrFail(t, err, localserver.ErrNoPostgres)
	return server
}

// skipOrFail skips the test when the machine has no such server, and fails it on any other error.
func skipOrFail(t testing.TB, err, missing error) {
	t.Helper()
	if errors.Is(err, missing) {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func createDatabase(t testing.TB, server, template string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:16])
	statement := "CREATE DATABASE " + name
	if template != "" {
		statement += " TEMPLATE " + template
	}
	if err := administer(t.Context(), server, statement); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		drop := "DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"
		if err := administer(context.WithoutCancel(t.Context()), server, drop); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return databaseURL(t, server, name)
}

func databaseURL(t testing.TB, server, name string) string {
	t.Helper()
	address, err := withDatabase(server, name)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func withDatabase(server, name string) (string, error) {
	address, err := url.Parse(server)
	if err != nil {
		return "", errors.New("the test server's address is no URL")
	}
	address.Path = "/" + name
	return address.String(), nil
}

// templateLock serialises the making of templates on one server. Migrations create roles,
// which belong to the server, so two templates must not be made at once either.
const templateLock = 7_360_541

func prepareTemplate(ctx context.Context, server, template string, migrate func(url string) error) error {
	connection, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer connection.Close(context.WithoutCancel(ctx)) //nolint:errcheck // closing also unlocks
	if _, err := connection.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	var ready bool
	const exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)"
	if err := connection.QueryRow(ctx, exists, template).Scan(&ready); err != nil || ready {
		return err
	}
	// One that is no template yet was left half made.
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + template + " WITH (FORCE)", "CREATE DATABASE " + template} {
		if _, err := connection.Exec(ctx, statement); err != nil {
			return err
		}
	}
	address, err := withDatabase(server, template)
	if err != nil {
		return err
	}
	if err := migrate(address); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	_, err = connection.Exec(ctx, "ALTER DATABASE "+template+" IS_TEMPLATE true")
	return err
}

func administer(ctx context.Context, server, statement string) error {
	connection, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = connection.Exec(ctx, statement)
	return errors.Join(err, connection.Close(context.WithoutCancel(ctx)))
}
