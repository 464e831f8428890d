package audit

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"
)

// want is a finding that must be there.
type want struct {
	kind  FindingKind
	index uint64
	entry EntryName
}

func wantEntry(kind FindingKind, index int) want {
	return want{kind, uint64(index), testEntry(index).Name}
}

type tamper struct {
	do    func(t testing.TB, l *testLog)
	trust func(t testing.TB, trust *Trust)
	want  []want
}

const testSize = 40

func tampers() map[string]tamper {
	const i = 15 // in the second ten, so between the checkpoints of 10 and of 20
	list := map[string]tamper{
		"nothing": {},
		"row removed": {
			do:   func(_ testing.TB, l *testLog) { l.records[i].Entry = nil },
			want: []want{wantEntry(FoundRemoved, i)},
		},
		"row and leaf removed": {
			do:   func(_ testing.TB, l *testLog) { l.records = slices.Delete(l.records, i, i+1) },
			want: []want{{kind: FoundGap, index: i}, {kind: FoundRootMismatch, index: 10}},
		},
		"row and leaf removed, the rest moved up": {
			do:   func(_ testing.TB, l *testLog) { l.records = slices.Delete(l.records, i, i+1); l.renumber() },
			want: []want{{kind: FoundRootMismatch, index: 10}, {kind: FoundTruncated, index: testSize - 1}, {FoundUnsigned, 30, testEntry(31).Name}},
		},
		"leaf removed, row left": {
			do: func(_ testing.TB, l *testLog) {
				l.records = slices.Delete(l.records, i, i+1)
				l.unlogged = append(l.unlogged, testEntry(i))
			},
			want: []want{{kind: FoundGap, index: i}, {FoundInserted, testSize, testEntry(i).Name}, {kind: FoundRootMismatch, index: 10}},
		},
		"changed with its leaf": {
			do: func(_ testing.TB, l *testLog) {
				l.edit(i, func(e *Entry) { e.Subject[3]++ })
				l.cover(i)
			},
			want: []want{{kind: FoundRootMismatch, index: 10}},
		},
		"leaf changed alone": {
			do:   func(_ testing.TB, l *testLog) { l.records[i].Leaf[0] ^= 1 },
			want: []want{wantEntry(FoundChanged, i), {kind: FoundRootMismatch, index: 10}},
		},
		"row inserted": {
			do:   func(_ testing.TB, l *testLog) { l.unlogged = append(l.unlogged, testEntry(99)) },
			want: []want{{FoundInserted, testSize, testEntry(99).Name}},
		},
		"row and leaf inserted under a taken index": {
			do: func(_ testing.TB, l *testLog) {
				e := testEntry(99)
				l.records = slices.Insert(l.records, i, Record{Index: i - 1, Leaf: e.LeafHash(), Name: e.Name, Entry: &e.Draft})
			},
			want: []want{{FoundInserted, i - 1, testEntry(99).Name}},
		},
		"row and leaf inserted, the rest moved down": {
			do: func(_ testing.TB, l *testLog) {
				e := testEntry(99)
				l.records = slices.Insert(l.records, i, Record{Leaf: e.LeafHash(), Name: e.Name, Entry: &e.Draft})
				l.renumber()
			},
			want: []want{{kind: FoundRootMismatch, index: 10}, {FoundUnsigned, testSize, testEntry(testSize - 1).Name}},
		},
		"row and leaf added at the end": {
			do:   func(_ testing.TB, l *testLog) { l.add(testEntry(testSize)) },
			want: []want{wantEntry(FoundUnsigned, testSize)},
		},
		"rows swapped": {
			do: func(_ testing.TB, l *testLog) {
				l.records[i].Entry, l.records[i+1].Entry = l.records[i+1].Entry, l.records[i].Entry
			},
			want: []want{wantEntry(FoundChanged, i), wantEntry(FoundChanged, i+1)},
		},
		"rows and leaves swapped": {
			do: func(_ testing.TB, l *testLog) {
				l.records[i], l.records[i+1] = l.records[i+1], l.records[i]
				l.renumber()
			},
			want: []want{{kind: FoundRootMismatch, index: 10}},
		},
		"end cut off": {
			do:   func(_ testing.TB, l *testLog) { l.records = l.records[:i] },
			want: []want{{kind: FoundTruncated, index: i}, wantEntry(FoundUnsigned, 10)},
		},
		"end cut off with its checkpoints, one kept": {
			do: func(_ testing.TB, l *testLog) { l.records, l.checkpoints = l.records[:20], l.checkpoints[:2] },
			trust: func(t testing.TB, trust *Trust) {
				trust.Kept = newTestLog(t, testSize).checkpoints[2:3]
			},
			want: []want{{kind: FoundTruncated, index: 20}},
		},
		"everything rewritten and signed anew, one kept": {
			do: func(t testing.TB, l *testLog) {
				other := &testLog{decisions: l.decisions}
				for n := range testSize {
					e := testEntry(n)
					if n >= i {
						e.Client = "somebody-else"
					}
					other.add(e)
				}
				other.checkpoint(t, 2)
				*l = *other
			},
			trust: func(t testing.TB, trust *Trust) { trust.Kept = newTestLog(t, testSize).checkpoints[:2] },
			want:  []want{{kind: FoundInconsistent, index: 20}},
		},
		"another log signed at the same size": {
			do: func(t testing.TB, l *testLog) {
				fork := signed(t, Checkpoint{Origin: testOrigin, Size: 20, Root: testLeaf(0)}, 2)
				l.checkpoints = slices.Insert(l.checkpoints, 2, fork)
			},
			want: []want{{kind: FoundInconsistent, index: 20}},
		},
		"decision changed": {
			do:   func(_ testing.TB, l *testLog) { l.decisions[1].Outcome = []byte(`{"permitted":{"email":"plain"}}`) },
			want: []want{wantEntry(FoundDecisionChanged, 1)},
		},
		"decision input changed": {
			do:   func(_ testing.TB, l *testLog) { l.decisions[2].Input = []byte(`{}`) },
			want: []want{wantEntry(FoundDecisionChanged, 2)},
		},
		"decision's revision changed": {
			do:   func(_ testing.TB, l *testLog) { l.decisions[0].Revision = "r0" },
			want: []want{wantEntry(FoundDecisionChanged, 0)},
		},
		"decision removed": {
			do:   func(_ testing.TB, l *testLog) { l.decisions = l.decisions[:2] },
			want: []want{wantEntry(FoundDecisionMissing, 2)},
		},
		"checkpoint signed by a stranger": {
			do: func(t testing.TB, l *testLog) {
				l.checkpoints[1] = signed(t, Checkpoint{Origin: testOrigin, Size: 20, Root: testLeaf(0)}, 9)
			},
			want: []want{{kind: FoundBadSignature, index: 20}},
		},
		"checkpoint of another log": {
			do: func(t testing.TB, l *testLog) {
				l.checkpoints[1] = signed(t, Checkpoint{Origin: "elsewhere", Size: 20, Root: testLeaf(0)}, 1)
			},
			want: []want{{kind: FoundBadCheckpoint, index: 20}},
		},
		"checkpoint garbled": {
			do:   func(_ testing.TB, l *testLog) { l.checkpoints[1] = nil },
			want: []want{{kind: FoundBadCheckpoint}},
		},
		"checkpoints out of order": {
			do: func(_ testing.TB, l *testLog) {
				l.checkpoints[1], l.checkpoints[0] = l.checkpoints[0], l.checkpoints[1]
			},
			want: []want{{kind: FoundBadCheckpoint, index: 10}},
		},
		"no checkpoints": {
			do:   func(_ testing.TB, l *testLog) { l.checkpoints = nil },
			want: []want{{kind: FoundUnsigned}},
		},
		"everything gone": {
			do:   func(_ testing.TB, l *testLog) { *l = testLog{} },
			want: []want{{kind: FoundUnsigned}},
		},
	}
	for name, change := range entryChanges {
		changed := testEntry(i)
		change(&changed) // a row whose name was changed is known by the name it has now
		found := []want{{FoundChanged, i, changed.Name}}
		if name == "decision" {
			found = append(found, wantEntry(FoundDecisionMissing, i)) // the reference dangles besides
		}
		list["changed: "+name] = tamper{do: func(_ testing.TB, l *testLog) { l.edit(i, change) }, want: found}
	}
	return list
}

func checkFindings(t *testing.T, report Report, wants []want) {
	t.Helper()
	var got []want
	for _, f := range report.Findings {
		if f.Detail == "" {
			t.Errorf("%s: no detail", f.Kind)
		}
		got = append(got, want{f.Kind, f.Index, f.Entry})
	}
	if !slices.Equal(got, wants) {
		t.Errorf("findings %+v, want %+v", report.Findings, wants)
	}
	if report.OK() != (len(wants) == 0) {
		t.Errorf("OK is %t", report.OK())
	}
}

func TestVerifyFindsAndNames(t *testing.T) {
	for name, tamper := range tampers() {
		t.Run(name, func(t *testing.T) {
			l, trust := newTestLog(t, testSize), testTrust()
			if tamper.do != nil {
				tamper.do(t, l)
			}
			if tamper.trust != nil {
				tamper.trust(t, &trust)
			}
			report, err := Verify(t.Context(), l.source().Items(), trust)
			if err != nil {
				t.Fatal(err)
			}
			checkFindings(t, report, tamper.want)
		})
	}
}

func TestVerifyReportsWhatItSaw(t *testing.T) {
	l := newTestLog(t, 45)
	trust := testTrust()
	trust.Settled = testEntry(40).At.Add(-time.Second)
	trust.Kept = l.checkpoints[1:3] // the same again: counted once
	l.unlogged = []Entry{testEntry(45)}
	got, err := Verify(t.Context(), l.source().Items(), trust)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Origin: testOrigin, Size: 45, Signed: 40, Root: l.tree.Root(),
		Checkpoints: 4, Decisions: 3, Pending: 6, Findings: []Finding{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

// A new log has nothing in it but can be signed.
func TestVerifyEmptyLog(t *testing.T) {
	l := &testLog{}
	l.checkpoint(t, 1)
	report, err := Verify(t.Context(), l.source().Items(), testTrust())
	if err != nil || !report.OK() {
		t.Errorf("report %+v, %v", report, err)
	}
}

func TestVerifyBoundsItsFindings(t *testing.T) {
	l := newTestLog(t, 3_000)
	for i := range l.records {
		l.records[i].Entry = nil
	}
	report, err := Verify(t.Context(), l.source().Items(), testTrust())
	if err != nil || len(report.Findings) != maxFindings || report.Omitted != 2_000 {
		t.Errorf("%d findings, %d omitted, %v", len(report.Findings), report.Omitted, err)
	}
}

func TestVerifyFails(t *testing.T) {
	l := newTestLog(t, 20)
	for name, trust := range map[string]Trust{"no keys": {Origin: testOrigin}, "no origin": {Keys: testTrust().Keys}, "bad key": {Origin: testOrigin, Keys: []Key{{}}}} {
		if _, err := Verify(t.Context(), l.source().Items(), trust); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	down := errors.New("down")
	for name, source := range map[string]Source{
		"records": {Records: failing(l.records, down)}, "checkpoints": {Checkpoints: failing(l.checkpoints, down)},
		"unlogged": {Unlogged: failing(l.unlogged, down)}, "decisions": {Decisions: failing(l.decisions, down)},
	} {
		if _, err := Verify(t.Context(), source.Items(), testTrust()); !errors.Is(err, down) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, l.source().Items(), testTrust()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func failing[T any](list []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v := range all(list) {
			if !yield(v, nil) {
				return
			}
		}
		var zero T
		yield(zero, err)
	}
}

func TestSourceStopsWhenAsked(t *testing.T) {
	l := newTestLog(t, 20)
	l.unlogged = []Entry{testEntry(20)}
	total := 0
	for range l.source().Items() {
		total++
	}
	for stop := range total {
		seen := 0
		for _, err := range l.source().Items() {
			if err != nil {
				t.Fatal(err)
			}
			if seen == stop {
				break
			}
			seen++
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	l := newTestLogSigned(b, 100_000, 1_000)
	b.ReportAllocs()
	for b.Loop() {
		if report, err := Verify(b.Context(), l.source().Items(), testTrust()); err != nil || !report.OK() {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkLeafHash(b *testing.B) {
	e := sampleEntry()
	b.ReportAllocs()
	for b.Loop() {
		e.LeafHash()
	}
}
