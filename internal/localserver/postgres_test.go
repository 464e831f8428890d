package localserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func startPostgres(t *testing.T, dir string) *Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := StartPostgres(ctx, PostgresConfig{Dir: dir, Settings: map[string]string{"fsync": "off"}})
	if errors.Is(err, ErrNoPostgres) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Stop(context.WithoutCancel(ctx)), server.Remove()); err != nil {
			t.Error(err)
		}
	})
	return server
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context()) //nolint:errcheck // read is done
	rows, err := connection.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(values, ",")
}

func TestPostgresKeepsItsDataOverStopAndCrash(t *testing.T) {
	// A folder that only its owner can enter: as root, the server's account cannot.
	dir := filepath.Join(t.TempDir(), "data")
	server := startPostgres(t, dir)
	url := server.URL("postgres")

	query(t, url, `CREATE TABLE kept (word text)`)
	query(t, url, `INSERT INTO kept VALUES ('here')`)
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if server.URL("postgres") != url {
		t.Error("the address changed over a restart")
	}
	if got := query(t, url, `SELECT word FROM kept`); got != "here" {
		t.Errorf("after a stop: got %q", got)
	}
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(server.cluster.data(), "postmaster.pid")); err != nil {
		t.Errorf("a crash leaves its pid file, or it was none: %v", err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, url, `SELECT word FROM kept`); got != "here" {
		t.Errorf("after a crash: got %q", got)
	}
}

func TestPostgresAsksForThePassword(t *testing.T) {
	server := startPostgres(t, t.TempDir())
	url := strings.Replace(server.URL("postgres"), server.cluster.password, "guess", 1)
	if connection, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("a wrong password was taken")
		_ = connection.Close(t.Context())
	}
	info, err := os.Stat(filepath.Join(server.config.Dir, "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v", info.Mode(), err)
	}
}

func TestPostgresDataHasOneUser(t *testing.T) {
	dir := t.TempDir()
	server := startPostgres(t, dir)
	second, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	if err == nil {
		t.Fatal("two servers on the same data")
	}
	if second != nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
	query(t, server.URL("postgres"), `SELECT 'still here'`)
}

func TestPostgresStopsTheServerOfADeadOwner(t *testing.T) {
	dir := t.TempDir()
	server := startPostgres(t, dir)
	// What a killed owner leaves: its lock is gone, its server is not.
	if err := server.cluster.lock.Close(); err != nil {
		t.Fatal(err)
	}
	heir := startPostgres(t, dir)
	<-server.process.exited
	server.process = nil
	query(t, heir.URL("postgres"), `SELECT 'mine'`)
}

func TestPostgresSaysWhyItDidNotStart(t *testing.T) {
	if _, err := FindPostgres(t.Context()); err != nil {
		t.Skip(err)
	}
	dir := filepath.Join("/var/tmp", "consentry-"+filepath.Base(t.TempDir()))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir, Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("got %v", err)
	}
}
