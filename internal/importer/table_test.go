package importer

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// cells reads a table's rows as the cells of some columns; a defect stands for its row.
func cells(t testing.TB, rows rowReader, columns ...string) (out [][]string) {
	t.Helper()
	for {
		r, err := rows.read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.defect != nil {
			out = append(out, []string{"!" + r.defect.Code})
			continue
		}
		var line []string
		for _, column := range columns {
			text, ok := r.cell(column)
			if !ok {
				t.Fatalf("no column %s", column)
			}
			line = append(line, text)
		}
		out = append(out, line)
	}
}

func TestLineTable(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     [][]string
	}{
		{"texts", `{"a":"x","b":{"c":"y\u00e9"}}`, [][]string{{"x", "yé"}}},
		{"numbers as written", `{"a":1.50,"b":{"c":-3}}`, [][]string{{"1.50", "-3"}}},
		{"booleans and null", "{\"a\":true,\"b\":null}\n{\"a\":null,\"b\":{\"c\":null}}", [][]string{{"true", ""}, {"", ""}}},
		{"absent", `{}`, [][]string{{"", ""}}},
		{"lists and objects", `{"a":["x",1],"b":{"c":{"d":1}}}`, [][]string{{`["x",1]`, `{"d":1}`}}},
		{"a dotted name", `{"a":1,"b.c":"flat"}`, [][]string{{"1", "flat"}}},
		{"inside a text", `{"a":1,"b":"text"}`, [][]string{{"1", ""}}},
		{"blank lines, CR LF", "\n{\"a\":1}\r\n \n\n{\"a\":2}", [][]string{{"1", ""}, {"2", ""}}},
		{"broken", "{\"a\":1\n[1]\n1\n{\"a\":1}{}\nnull\n{\"a\" 1}\n{\"a\":2}", [][]string{{"!malformed_json"}, {"!malformed_json"}, {"!malformed_json"}, {"!malformed_json"}, {"!malformed_json"}, {"!malformed_json"}, {"2", ""}}},
		{"twice", `{"a":1,"a":2}`, [][]string{{"!duplicate_member"}}},
		{"deep", `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}\n{\"a\":2}", [][]string{{"!malformed_json"}, {"2", ""}}},
		{"long", `{"a":"` + strings.Repeat("x", maxRecord) + "\"}\n{\"a\":2}", [][]string{{"!record_too_long"}, {"2", ""}}},
		{"nothing", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := cells(t, newLineTable(strings.NewReader(c.in)), "a", "b.c"); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %.200q, want %.200q", got, c.want)
			}
		})
	}
}

const parquetMapping = `
format: parquet
source: test
identifiers: [{type: customer_number, column: number}]
attributes: {full_name: {column: name}}
`

// person is a row with every type that a cell is made of.
type person struct {
	Number   int64     `parquet:"number"`
	Name     string    `parquet:"name"`
	Small    *int32    `parquet:"small,optional"`
	Unsigned uint32    `parquet:"unsigned"`
	Ratio    float64   `parquet:"ratio"`
	Yes      bool      `parquet:"yes"`
	Day      int32     `parquet:"day,date"`
	At       time.Time `parquet:"at,timestamp(microsecond)"`
	Price    int64     `parquet:"price,decimal(2:18)"`
	ID       [16]byte  `parquet:"id,uuid"`
	Tags     []string  `parquet:"tags,list"`
	Home     struct {
		City *string `parquet:"city,optional"`
	} `parquet:"home"`
}

func writePeople(t testing.TB, rows []person, options ...parquet.WriterOption) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := parquet.Write(&file, rows, options...); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func openParquet(t testing.TB, file []byte, mappingText string) (*Table, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.parquet")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := Open(Input{Path: path, Mapping: []byte(mappingText)})
	if err == nil {
		t.Cleanup(func() { _ = table.Close() })
	}
	return table, err
}

func TestParquetTable(t *testing.T) {
	small, city := int32(-7), "Köln"
	first := person{Number: 12, Name: "李雷", Small: &small, Unsigned: 4_000_000_000, Ratio: 0.1, Yes: true, Day: 7442,
		At: time.Date(2024, 6, 30, 12, 30, 0, 0, time.UTC), Price: -5, ID: [16]byte{0x01, 0x92}, Tags: []string{"a", "b"}}
	first.Home.City = &city
	second := person{At: time.Date(2024, 6, 30, 0, 0, 0, 0, time.UTC), Price: 123456}
	long := person{Name: strings.Repeat("x", maxField+1)}
	table, err := openParquet(t, writePeople(t, []person{first, second, long}), parquetMapping)
	if err != nil {
		t.Fatal(err)
	}
	got := cells(t, table.rows, "number", "name", "small", "unsigned", "ratio", "yes", "day", "at", "price", "id", "tags", "home.city")
	want := [][]string{
		{"12", "李雷", "-7", "4000000000", "0.1", "true", "1990-05-18", "2024-06-30T12:30:00Z", "-0.05", "01920000-0000-0000-0000-000000000000", `["a","b"]`, "Köln"},
		{"0", "", "", "0", "0", "false", "1970-01-01", "2024-06-30", "1234.56", "00000000-0000-0000-0000-000000000000", "", ""},
		{"!field_too_long"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %.600q\nwant %.600q", got, want)
	}
}

func TestParquetRowGroups(t *testing.T) {
	rows := make([]person, 1000)
	for i := range rows {
		rows[i].Number = int64(i)
	}
	table, err := openParquet(t, writePeople(t, rows, parquet.MaxRowsPerRowGroup(130)), parquetMapping)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		r, err := table.next()
		if err != nil || r.number != i+1 {
			t.Fatal(r.number, err)
		}
	}
	if _, err := table.next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// TestDamagedParquet: whatever bytes of a file are wrong, it is read or refused, and nothing worse.
func TestDamagedParquet(t *testing.T) {
	file := writePeople(t, []person{{Number: 1, Name: "Ada"}, {Number: 2, Name: "Bob"}})
	m, err := mapping.Parse([]byte(parquetMapping))
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, broken []byte) {
		table, err := newParquetTable(bytes.NewReader(broken), int64(len(broken)), m)
		for rows := 0; err == nil && rows < 100; rows++ {
			var r row
			if r, err = table.read(); err == nil && r.defect == nil {
				_, _ = m.Row(r.cell)
			}
		}
		if err != nil && !errors.Is(err, io.EOF) && privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	damage("nothing", nil)
	damage("not Parquet", []byte("id,name\nP1,Ada Lovelace\n"))
	damage("cut", file[:len(file)/2])
	huge := bytes.Clone(file)
	copy(huge[len(huge)-8:], []byte{0xff, 0xff, 0xff, 0x7f})
	damage("huge footer", huge)
	for i := 0; i < len(file); i += 2 {
		broken := bytes.Clone(file)
		broken[i] ^= []byte{0xff, 0x01, 0x80}[i%3]
		damage("a byte", broken)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := openParquet(t, writePeople(t, []person{{}}), strings.Replace(parquetMapping, "column: name", "column: nobody", 1)); privacy.CodeOf(err) != "missing_columns" {
		t.Error(err)
	}
	if _, err := Open(Input{Path: t.TempDir(), Mapping: []byte(parquetMapping)}); privacy.CodeOf(err) != "file_unreadable" {
		t.Error(err)
	}
	if _, err := Open(Input{Path: "x", Mapping: []byte("format: [")}); privacy.CodeOf(err) != "invalid_mapping" {
		t.Error(err)
	}
}
