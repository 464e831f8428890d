package importer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/importer"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// database is a fresh one with the schema.
func database(t testing.TB) string {
	t.Helper()
	return testenv.Template(t, migrationsKey(t), func(url string) error { return store.Migrate(context.WithoutCancel(t.Context()), url) })
}

// migrationsKey changes with the schema.
func migrationsKey(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob("../store/migrations/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations", err)
	}
	var key strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key.Write(text)
	}
	return key.String()
}

// open opens the vault over a database, with keys in a file.
func open(t testing.TB, url string) *custody.Service {
	t.Helper()
	keys, err := keyring.OpenFile(t.TempDir(), keyring.Options{Dev: true, Init: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	service := custody.New(custody.Config{Store: db, Keyring: keys, Policy: policy.NewEngine(), Catalogue: words, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		service.Close()
		db.Close()
		_ = keys.Close()
	})
	return service
}

// job is an import that can be run several times, as a command would be.
type job struct {
	file, mapping  string
	state, rejects string
	restart        bool
	batch, workers int
	patience       time.Duration
	progress       func(importer.Progress)
}

func newJob(t testing.TB, file, mapping string) job {
	dir := t.TempDir()
	return job{file: file, mapping: mapping, state: filepath.Join(dir, "state"), rejects: filepath.Join(dir, "rejects"), batch: importer.DefaultBatch, workers: 2, patience: 30 * time.Second}
}

// run runs it into the vault that through makes of the file's identity; nil for a dry run.
func (j job) run(ctx context.Context, t testing.TB, through func(importer.Identity) importer.Vault) (importer.Summary, error) {
	t.Helper()
	table, err := importer.Open(importer.Input{Path: j.file, Mapping: []byte(j.mapping)})
	if err != nil {
		return importer.Summary{}, err
	}
	defer func() { _ = table.Close() }()
	journal, err := importer.OpenJournal(importer.JournalConfig{State: j.state, Rejects: j.rejects, Restart: j.restart, Target: "test", Batch: j.batch, Workers: j.workers}, table, time.Now())
	if err != nil {
		return importer.Summary{}, err
	}
	defer func() { _ = journal.Close() }()
	run := importer.Import{Table: table, Journal: journal, Patience: j.patience, Progress: j.progress, Now: time.Now}
	if through != nil {
		run.Vault = through(table.Identity())
	}
	return run.Run(ctx)
}

func direct(service *custody.Service) func(importer.Identity) importer.Vault {
	return func(identity importer.Identity) importer.Vault {
		return importer.NewDirect(service, custody.Caller{Caller: privacy.Caller{Client: "test-import"}}, identity)
	}
}

func mappingFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "mapping", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readRejects(t testing.TB, path string) []importer.Reject {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var rejects []importer.Reject
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var reject importer.Reject
		if err := json.Unmarshal([]byte(line), &reject); err != nil {
			t.Fatal(err)
		}
		rejects = append(rejects, reject)
	}
	return rejects
}

// queryInt asks the database for a number.
func queryInt(t testing.TB, url, query string) int {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	var n int
	if err := connection.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// people is a CSV file of n records about fewer people: every tenth is about somebody who came before, and
// every 50th is ragged.
func people(n int) (text string, created, updated, rejected int) {
	var b strings.Builder
	b.WriteString("id,name,city,income\n")
	for i := range n {
		switch {
		case i%50 == 49:
			b.WriteString("ragged\n")
			rejected++
		case i%10 == 9:
			fmt.Fprintf(&b, "P%d,Person Again,Bremen,%d\n", i-5, i)
			updated++
		default:
			fmt.Fprintf(&b, "P%d,Person %d,Köln,%d\n", i, i, i)
			created++
		}
	}
	return b.String(), created, updated, rejected
}

const peopleMapping = `
format: csv
source: test
collected_at: {constant: 2024-01-01}
identifiers: [{type: customer_number, column: id}]
attributes: {full_name: {column: name}, city: {column: city}, income: {column: income}}
`
