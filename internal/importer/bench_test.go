package importer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

const wideMapping = `
format: csv
source: bench
collected_at: {constant: 2024-01-01}
identifiers: [{type: customer_number, column: id}]
attributes: {full_name: {column: name}, city: {column: city}, email: {column: email}, gender: {column: gender}, birth_date: {column: born}, country: {constant: DE},
  occupation: {column: job}, education: {column: education}, marital_status: {column: marital}, income: {column: income}, children_home: {column: kids}, teens_home: {column: teens},
  customer_since: {column: since}, recency_days: {column: recency}, spend_total: {sum: [wine, fish]}, spend_by_category: {entries: {wine: wine, fish: fish}},
  orders_total: {column: orders}, visits_month: {column: visits}, complaints: {column: complaints}, campaigns_accepted: {list: {spring: spring, autumn: autumn}}}
`

// writeWide writes a table of n people with 20 attributes each.
func writeWide(b testing.TB, n int) string {
	b.Helper()
	var text strings.Builder
	text.WriteString("id,name,city,email,gender,born,job,education,marital,income,kids,teens,since,recency,wine,fish,orders,visits,complaints,spring,autumn\n")
	for i := range n {
		fmt.Fprintf(&text, "C%d,Person Number %d,Köln,person%d@example.com,female,19%02d-05-17,engineer,Graduation,Married,%d,1,0,2013-02-%02d,%d,%d,%d,%d,%d,0,1,0\n",
			i, i, i, 50+i%50, 20_000+i%80_000, 1+i%28, i%100, i%900, i%70, i%30, i%10)
	}
	path := filepath.Join(b.TempDir(), "wide.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkDirect imports people with 20 attributes into a durable server, and then copies the
// very rows that this made into another database, in one transaction: the floor.
func BenchmarkDirect(b *testing.B) {
	n := 20_000
	if given, err := strconv.Atoi(os.Getenv("CONSENTRY_BENCH_PEOPLE")); err == nil {
		n = given
	}
	server := testenv.OwnPostgres(b, testenv.Durable)
	file := writeWide(b, n)
	for range b.N {
		url := freshDatabase(b, server.URL("postgres"), server.URL)
		j := newJob(b, file, wideMapping)
		summary, err := j.run(b.Context(), b, direct(open(b, url)))
		if err != nil || summary.Created != n {
			b.Fatalf("%+v, %v", summary, err)
		}
		imported := float64(n) / summary.Seconds
		b.ReportMetric(imported, "subjects/s")
		if n > 100_000 {
			continue // the rows of the floor are held in memory
		}
		floor := float64(n) / copyRows(b, url, freshDatabase(b, server.URL("postgres"), server.URL)).Seconds()
		b.ReportMetric(floor, "copied/s")
		b.ReportMetric(imported/floor, "ratio")
	}
}

func freshDatabase(b testing.TB, admin string, url func(string) string) string {
	b.Helper()
	connection, err := pgx.Connect(b.Context(), admin)
	if err != nil {
		b.Fatal(err)
	}
	name := "bench_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if _, err := connection.Exec(b.Context(), "CREATE DATABASE "+name); err != nil {
		b.Fatal(err)
	}
	if err := connection.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := store.Migrate(b.Context(), url(name)); err != nil {
		b.Fatal(err)
	}
	return url(name)
}

// copyRows copies the profiles of one database into another and gives the time of the writing.
func copyRows(b testing.TB, from, to string) time.Duration {
	b.Helper()
	source, err := pgx.Connect(b.Context(), from)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = source.Close(b.Context()) }()
	target, err := pgx.Connect(b.Context(), to)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = target.Close(b.Context()) }()
	tables := []string{"subject", "identifier", "subject_identifier", "attribute_value"}
	columns, values := make(map[string][]string), make(map[string][][]any)
	for _, table := range tables {
		rows, err := source.Query(b.Context(), "SELECT * FROM "+table)
		if err != nil {
			b.Fatal(err)
		}
		for _, field := range rows.FieldDescriptions() {
			columns[table] = append(columns[table], field.Name)
		}
		if values[table], err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() }); err != nil {
			b.Fatal(err)
		}
	}
	begin := time.Now()
	err = pgx.BeginFunc(b.Context(), target, func(tx pgx.Tx) error {
		for _, table := range tables {
			if _, err := tx.CopyFrom(b.Context(), pgx.Identifier{table}, columns[table], pgx.CopyFromRows(values[table])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}
