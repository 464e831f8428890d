package testenv

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func exec(t testing.TB, url, sql string) error {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = connection.Exec(t.Context(), sql)
	return errors.Join(err, connection.Close(t.Context()))
}

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if err := exec(t, Postgres(t), "CREATE TABLE mine ()"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPostgresDropsTheDatabaseAfterTheTest(t *testing.T) {
	var url string
	t.Run("inner", func(t *testing.T) { url = Postgres(t) })
	if url == "" {
		t.Skip("no PostgreSQL")
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("the database is still there: %v", err)
	}
}

func TestTemplateMigratesOnce(t *testing.T) {
	var migrations atomic.Int32
	migrate := func(url string) error {
		migrations.Add(1)
		return exec(t, url, "CREATE TABLE migrated ()")
	}
	key := t.Name()
	t.Run("together", func(t *testing.T) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				if err := exec(t, Template(t, key, migrate), "SELECT FROM migrated"); err != nil {
					t.Error(err)
				}
			})
		}
	})
	if got := migrations.Load(); got != 1 {
		t.Errorf("migrated %d times", got)
	}
}

func TestTemplateIsMadeAgainAfterAFailure(t *testing.T) {
	server := sharedPostgres(t)
	half := errors.New("half way")
	err := prepareTemplate(t.Context(), server, "template_half", func(url string) error {
		return errors.Join(exec(t, url, "CREATE TABLE migrated ()"), half)
	})
	if !errors.Is(err, half) {
		t.Fatalf("got %v", err)
	}
	err = prepareTemplate(t.Context(), server, "template_half", func(url string) error {
		return exec(t, url, "CREATE TABLE migrated ()")
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOwnPostgresIsDurableOnRequest(t *testing.T) {
	server := OwnPostgres(t, Durable)
	connection, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close(t.Context()) //nolint:errcheck // read is done
	var fsync string
	if err := connection.QueryRow(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync %s, %v", fsync, err)
	}
}

func BenchmarkPostgres(b *testing.B) {
	for b.Loop() {
		Postgres(b)
	}
}
