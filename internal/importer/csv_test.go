package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// readAll reads every record; a defect stands for its fields.
func readAll(t testing.TB, in io.Reader, comma rune) (records [][]string, lines []int) {
	t.Helper()
	reader := newCSVReader(in, comma)
	for {
		record, err := reader.read()
		if errors.Is(err, io.EOF) {
			return records, lines
		}
		if err != nil {
			t.Fatal(err)
		}
		fields := slices.Clone(record.fields)
		if record.defect != nil {
			fields = []string{"!" + record.defect.Code}
		}
		records, lines = append(records, fields), append(lines, record.line)
	}
}

func TestCSVReader(t *testing.T) {
	for _, c := range []struct {
		name, in string
		comma    rune
		want     [][]string
		lines    []int
	}{
		{"plain", "a,b\nc,d\n", ',', [][]string{{"a", "b"}, {"c", "d"}}, []int{1, 2}},
		{"no end of line", "a,b", ',', [][]string{{"a", "b"}}, []int{1}},
		{"CR LF", "a,b\r\nc,d\r\n", ',', [][]string{{"a", "b"}, {"c", "d"}}, []int{1, 2}},
		{"lone CR", "a\rb,c\r", ',', [][]string{{"a\rb", "c"}}, []int{1}},
		{"empty fields", ",\n,,\n", ',', [][]string{{"", ""}, {"", "", ""}}, []int{1, 2}},
		{"blank lines", "\n\na\n\r\n\nb\n", ',', [][]string{{"a"}, {"b"}}, []int{3, 6}},
		{"quotes", `"a","b ""c""",""` + "\n", ',', [][]string{{"a", `b "c"`, ""}}, []int{1}},
		{"lines in quotes", "\"a\r\nb\",c\nd,e\n", ',', [][]string{{"a\nb", "c"}, {"d", "e"}}, []int{1, 3}},
		{"delimiter in quotes", `"a;b";c`, ';', [][]string{{"a;b", "c"}}, []int{1}},
		{"tab", "a\tb c", '\t', [][]string{{"a", "b c"}}, []int{1}},
		{"wide delimiter", "一，二，\"三，四\"，五\n", '，', [][]string{{"一", "二", "三，四", "五"}}, []int{1}},
		{"first byte of the delimiter", "a\uff0db，c", '，', [][]string{{"a\uff0db", "c"}}, []int{1}},
		{"stray quote", "a,b\"c\nd,e\n", ',', [][]string{{"!csv_stray_quote"}, {"d", "e"}}, []int{1, 2}},
		{"text after quote", "\"a\"b,c\nd,e\n", ',', [][]string{{"!csv_stray_quote"}, {"d", "e"}}, []int{1, 2}},
		{"unclosed quote", "a,b\nc,\"d\ne,f\n", ',', [][]string{{"a", "b"}, {"!csv_unclosed_quote"}}, []int{1, 2}},
		{"NUL", "a\x00,b", ',', [][]string{{"a\x00", "b"}}, []int{1}},
		{"long field", strings.Repeat("x", 1_000_000) + ",a\nb,c\n", ',', [][]string{{"!field_too_long"}, {"b", "c"}}, []int{1, 2}},
		{"long quoted field", `"` + strings.Repeat("\n", 1_000_000) + "\",a\nb,c\n", ',', [][]string{{"!field_too_long"}, {"b", "c"}}, []int{1, 1_000_002}},
		{"long record", strings.Repeat("x,", 1<<20) + "\nb,c\n", ',', [][]string{{"!record_too_long"}, {"b", "c"}}, []int{1, 2}},
		{"as long as can be", strings.Repeat("x", maxField) + "\n", ',', [][]string{{strings.Repeat("x", maxField)}}, []int{1}},
		{"nothing", "", ',', nil, nil},
		{"no line", "\n\r\n", ',', nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, lines := readAll(t, strings.NewReader(c.in), c.comma)
			if !reflect.DeepEqual(records, c.want) || !slices.Equal(lines, c.lines) {
				t.Errorf("%d records on lines %v, want %d on %v", len(records), lines, len(c.want), c.lines)
			}
		})
	}
}

// endless is a field of a given length.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	e.left -= n
	for i := range p[:n] {
		p[i] = 'x'
	}
	return n, nil
}

// TestCSVReaderForgets: a record of 4 MiB is passed over in little memory.
func TestCSVReaderForgets(t *testing.T) {
	for _, start := range []string{"", `"`} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		records, _ := readAll(t, io.MultiReader(strings.NewReader(start), &endless{4 << 20}, strings.NewReader("\nb\n")), ',')
		runtime.ReadMemStats(&after)
		if len(records) == 0 || !strings.HasPrefix(records[0][0], "!") {
			t.Errorf("%d records", len(records))
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
			t.Errorf("%d MiB were allocated", grown>>20)
		}
	}
}

// TestCSVReaderFails: what is wrong with the file itself is told apart from what is wrong in it.
func TestCSVReaderFails(t *testing.T) {
	broken := errors.New("broken disk")
	reader := newCSVReader(io.MultiReader(strings.NewReader("a,b\nc"), readerFunc(func([]byte) (int, error) { return 0, broken })), ',')
	if _, err := reader.read(); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.read(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzCSVReader: what encoding/csv can read is read as encoding/csv reads it, and whatever it cannot is
// a defect. Neither depends on how the input is cut into reads.
func FuzzCSVReader(f *testing.F) {
	for _, seed := range []string{"a,b\n", "\"a\"\"b\",c\r\n", "a,\"b\nc\"\n\n,", "\"", "a\"b\n\"c\"d", "\r\n\r", "a\r\r\n", ",\r", "\"\"\r"} {
		f.Add([]byte(seed), byte(','))
	}
	f.Fuzz(func(t *testing.T, in []byte, comma byte) {
		if comma == '"' || comma == '\r' || comma == '\n' || comma == 0 || comma >= 0x80 || len(in) > maxField {
			return
		}
		records, lines := readAll(t, bytes.NewReader(in), rune(comma))
		if pieces, _ := readAll(t, oneByte{bytes.NewReader(in)}, rune(comma)); !reflect.DeepEqual(pieces, records) {
			t.Fatal("the same bytes in small pieces are read differently")
		}
		if !slices.IsSorted(lines) {
			t.Fatal("lines go backwards")
		}
		reference := csv.NewReader(bytes.NewReader(in))
		reference.Comma, reference.FieldsPerRecord = rune(comma), -1
		want, err := reference.ReadAll()
		defective := slices.ContainsFunc(records, func(fields []string) bool {
			return len(fields) == 1 && slices.Contains([]string{"!csv_stray_quote", "!csv_unclosed_quote"}, fields[0])
		})
		switch {
		case err == nil && !reflect.DeepEqual(records, want):
			t.Fatalf("read %q, want %q", records, want)
		case err != nil && !defective:
			t.Fatalf("read %q, but encoding/csv says %v", records, err)
		}
	})
}

type oneByte struct{ in io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.in.Read(p[:min(len(p), 1)]) }

// TestDefectsTellNoValues: no defect has anything of the record in it.
func TestDefectsTellNoValues(t *testing.T) {
	for _, defect := range []*privacy.Error{errRecordTooLong, errFieldTooLong, errStrayQuote, errUnclosedQuote, errNotAnObject, errTwoMembers} {
		if defect.Cause != nil || defect.Code == "" || defect.Detail == "" {
			t.Errorf("%v", defect)
		}
	}
}
