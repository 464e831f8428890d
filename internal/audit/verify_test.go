package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// testLog is a log in memory, laid out as the store has it.
type testLog struct {
	records     []Record
	checkpoints [][]byte
	unlogged    []Entry
	decisions   []StoredDecision
	tree        Tree
}

func testDecision(n int) Decision {
	return Decision{Revision: "r1", Input: fmt.Appendf(nil, `{"purpose":"p<%d>"}`, n), Outcome: []byte(`{"permitted":{}}`)}
}

// newTestLog makes a log of n entries, two to a batch, with three decisions in use and a signed
// checkpoint at every tenth entry, by keys that are rotated half way.
func newTestLog(t testing.TB, n int) *testLog { return newTestLogSigned(t, n, 10) }

func newTestLogSigned(t testing.TB, n, every int) *testLog {
	l := &testLog{}
	for i := range 3 {
		d := testDecision(i)
		l.decisions = append(l.decisions, StoredDecision{d.Hash(), d})
	}
	for i := range n {
		l.add(testEntry(i))
		if (i+1)%every == 0 {
			version := byte(1)
			if i > n/2 {
				version = 2
			}
			l.checkpoint(t, version)
		}
	}
	return l
}

func testEntry(i int) Entry {
	e := sampleEntry()
	e.Name = EntryName{BatchID: uuid(byte(i / 2)), ID: int32(i % 2)}
	e.At = e.At.Add(time.Duration(i) * time.Second)
	e.RequestID = privacy.RequestID(fmt.Sprint("req-", i))
	e.Decision = testDecision(i % 3).Hash()
	return e
}

func (l *testLog) add(e Entry) {
	l.records = append(l.records, Record{Index: l.tree.Size(), Leaf: e.LeafHash(), Name: e.Name, Entry: &e.Draft})
	l.tree.Append(e.LeafHash())
}

func (l *testLog) checkpoint(t testing.TB, version byte) {
	l.checkpoints = append(l.checkpoints, signed(t, l.tree.Checkpoint(testOrigin), version))
}

func (l *testLog) source() Source {
	return Source{Records: all(l.records), Checkpoints: all(l.checkpoints), Unlogged: all(l.unlogged), Decisions: all(l.decisions)}
}

func all[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func testTrust() Trust {
	one, _ := testKey(1)
	two, _ := testKey(2)
	return Trust{Origin: testOrigin, Keys: []Key{one, two}}
}

// want is a finding that must be there.
type want struct {
	kind  FindingKind
	index uint64
	entry EntryName
}

func wantEntry(kind FindingKind, index int) want {
	return want{kind, uint64(index), testEntry(index).Name}
}

// edit gives the record its own copy of the entry, to be changed.
func (l *testLog) edit(index int, change func(*Entry)) {
	r := &l.records[index]
	e := Entry{Name: r.Name, Draft: *r.Entry}
	e.Roles, e.Attributes = slices.Clone(e.Roles), slices.Clone(e.Attributes)
	change(&e)
	r.Name, r.Entry = e.Name, &e.Draft
}

// cover makes the stored leaf fit the changed entry, as a thief who knows the code would.
func (l *testLog) cover(index int) {
	r := &l.records[index]
	r.Leaf = Entry{Name: r.Name, Draft: *r.Entry}.LeafHash()
}

func (l *testLog) renumber() {
	for i := range l.records {
		l.records[i].Index = uint64(i)
	}
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
		list["changed: "+name] = tamper{
			do: func(_ testing.TB, l *testLog) { l.edit(i, change) },
			// The name is what the row says now: a changed name names the changed row.
			want: []want{{kind: FoundChanged, index: i}},
		}
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
	for i := range got {
		// Changes of the name and of the decision show in more than one way; see TestVerifyNames.
		if i < len(wants) && wants[i].entry.IsZero() {
			got[i].entry = EntryName{}
		}
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
			// A changed reference dangles too; that is reported besides.
			if name == "changed: decision" {
				tamper.want = append(tamper.want, want{kind: FoundDecisionMissing, index: 15})
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
