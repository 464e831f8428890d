package audit

import (
	"fmt"
	"iter"
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
