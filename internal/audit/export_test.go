package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func exported(t testing.TB, l *testLog) []byte {
	t.Helper()
	header := Header{Origin: testOrigin, ExportedAt: testTime, Keys: testTrust().Keys}
	if n := len(l.checkpoints); n > 0 {
		header.Checkpoint = string(l.checkpoints[n-1])
	}
	var file bytes.Buffer
	if err := Export(&file, header, l.source().Items()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestExportRoundTrip(t *testing.T) {
	l := newTestLog(t, 40)
	l.unlogged = []Entry{testEntry(40)}
	l.records[3].Entry = nil
	l.edit(4, func(e *Entry) { *e = Entry{Name: e.Name, Draft: Draft{At: e.At, Action: "<b>&\u2028"}} })
	header, items, err := ReadExport(bytes.NewReader(exported(t, l)))
	if err != nil {
		t.Fatal(err)
	}
	if header.Origin != testOrigin || !header.ExportedAt.Equal(testTime) || len(header.Keys) != 2 || header.Checkpoint != string(l.checkpoints[3]) {
		t.Errorf("header %+v", header)
	}
	if got, want := collect(t, items), collect(t, l.source().Items()); !reflect.DeepEqual(got, want) {
		t.Errorf("items differ:\n%+v, want\n%+v", got, want)
	}
}

func collect[T any](t testing.TB, seq func(func(T, error) bool)) (list []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// Nothing that Verify finds in the database is lost on the way through a file.
func TestVerifyFileFindsTheSame(t *testing.T) {
	for name, tamper := range tampers() {
		t.Run(name, func(t *testing.T) {
			l, trust := newTestLog(t, testSize), testTrust()
			if tamper.do != nil {
				tamper.do(t, l)
			}
			if tamper.trust != nil {
				tamper.trust(t, &trust)
			}
			want, err := Verify(t.Context(), l.source().Items(), trust)
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := Export(&file, Header{Origin: testOrigin, ExportedAt: testTime}, l.source().Items()); err != nil {
				t.Fatal(err)
			}
			_, got, err := VerifyFile(t.Context(), &file, trust)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("report %+v, want %+v", got, want)
			}
		})
	}
}

// A file that ends early is found out, wherever it ends: by what is missing, or by the broken line.
func TestVerifyFileCutShort(t *testing.T) {
	file := exported(t, newTestLog(t, 20))
	if _, report, err := VerifyFile(t.Context(), bytes.NewReader(file), testTrust()); err != nil || !report.OK() {
		t.Fatalf("the whole file: %+v, %v", report, err)
	}
	for cut := 0; cut < len(file); cut += 97 {
		_, report, err := VerifyFile(t.Context(), bytes.NewReader(file[:cut]), testTrust())
		if err == nil && report.OK() {
			t.Errorf("nothing found in the first %d of %d bytes", cut, len(file))
		}
	}
	lines := bytes.SplitAfter(file, []byte("\n"))
	for i := range lines[:len(lines)-1] {
		_, report, err := VerifyFile(t.Context(), bytes.NewReader(slices.Concat(lines[:i]...)), testTrust())
		if err == nil && report.OK() {
			t.Errorf("nothing found in the first %d of %d lines", i, len(lines)-1)
		}
	}
}

// The keys in the file are its own word.
func TestVerifyFileTrustsNoKeyOfTheFile(t *testing.T) {
	stranger, _ := testKey(9)
	l := &testLog{}
	l.add(Entry{Name: testEntry(0).Name, Draft: Draft{At: testTime, Action: ActionRevisionPublish}})
	l.checkpoint(t, 9)
	var file bytes.Buffer
	if err := Export(&file, Header{Origin: testOrigin, Keys: []Key{stranger}}, l.source().Items()); err != nil {
		t.Fatal(err)
	}
	_, report, err := VerifyFile(t.Context(), &file, testTrust())
	if err != nil || len(report.Findings) != 2 || report.Findings[0].Kind != FoundBadSignature {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestReadExportIsStrict(t *testing.T) {
	good := string(exported(t, newTestLog(t, 10)))
	header, rest, _ := strings.Cut(good, "\n")
	bad := map[string]string{
		"empty":                  "",
		"no header":              rest,
		"another format":         strings.Replace(good, "export v1", "export v2", 1),
		"carriage returns":       strings.ReplaceAll(good, "\n", "\r\n"),
		"empty line":             good + "\n",
		"empty object":           good + "{}\n",
		"null":                   good + "null\n",
		"unknown field":          good + `{"comment":"x"}` + "\n",
		"two items in a line":    good + `{"checkpoint":"x","unlogged":{"name":"019ca800-0001-7000-8000-000000000001.7","at":"2026-03-01T09:30:00Z","action":"a"}}` + "\n",
		"no last newline":        good[:len(good)-1],
		"a space":                strings.Replace(good, `{"record":`, `{"record": `, 1),
		"a field twice":          strings.Replace(good, `"index":0,`, `"index":1,"index":0,`, 1),
		"another case":           strings.Replace(good, `"index":0,`, `"Index":0,`, 1),
		"another time zone":      strings.Replace(good, `56Z"`, `56+00:00"`, 1),
		"needless escape":        strings.Replace(good, `"disclosure"`, `"\u0064isclosure"`, 1),
		"needless unsafe letter": strings.Replace(good, `\u003c`, `<`, 1),
		"upper-case hash":        strings.Replace(good, `"leaf":"`, `"leaf":"A`, 1),
		"header twice":           header + "\n" + good,
		"long line":              good + `{"checkpoint":"` + strings.Repeat("x", maxLine) + `"}` + "\n",
	}
	for name, file := range bad {
		_, _, err := VerifyFile(t.Context(), strings.NewReader(file), testTrust())
		if privacy.CodeOf(err) != "export_malformed" || privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExportFails(t *testing.T) {
	l := newTestLog(t, 20)
	if err := Export(fullDisk{}, Header{}, l.source().Items()); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
	if err := Export(io.Discard, Header{}, Source{Records: failing(l.records, errDown)}.Items()); !errors.Is(err, errDown) {
		t.Errorf("a failing source: %v", err)
	}
}

var errFull = errors.New("the disk is full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func FuzzReadExport(f *testing.F) {
	l := newTestLog(f, 10)
	l.unlogged = []Entry{testEntry(10)}
	f.Add(exported(f, l))
	f.Add([]byte(`{"format":"consentry audit export v1","origin":"o","exported_at":"2026-01-01T00:00:00Z","keys":null}` + "\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := VerifyFile(context.Background(), bytes.NewReader(file), testTrust()); err != nil {
			return
		}
		header, items, err := ReadExport(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := Export(&again, header, items); err != nil || !bytes.Equal(again.Bytes(), file) {
			t.Fatalf("two spellings of one file, %v", err)
		}
	})
}

func BenchmarkVerifyFile(b *testing.B) {
	file := exported(b, newTestLogSigned(b, 20_000, 1_000))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, report, err := VerifyFile(b.Context(), bytes.NewReader(file), testTrust()); err != nil || !report.OK() {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "entries/s")
}
