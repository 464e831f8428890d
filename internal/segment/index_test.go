package segment

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

// The index against a map that is gone through person by person: changes in any order of versions, erasures, permissions that are settled
// before and after people come, counts, breakdowns, overlaps and members.
func TestIndexIsTheNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		purposes := []privacy.PurposeName{"marketing.email", "marketing.sms"}
		x := NewIndex(facets, purposes)
		model := make(map[privacy.SubjectID]*person)
		counted := func(permission Permission, p Predicate) (ids []privacy.SubjectID) {
			purpose := slices.Index(purposes, permission.Purpose)
			for id, somebody := range model {
				if !somebody.gone && permitEven(somebody.states[purpose]) && p.Matches(facets, somebody.value) {
					ids = append(ids, id)
				}
			}
			return ids
		}
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				var batch []Subject
				for range rapid.IntRange(1, 20).Draw(t, "changes") {
					id, somebody := subjectID(rapid.IntRange(0, 30).Draw(t, "id")), drawPerson(t, len(purposes))
					batch = append(batch, somebody.subject(x, id))
					if known := model[id]; known == nil || somebody.version > known.version {
						model[id] = &somebody
					}
				}
				if rapid.Bool().Draw(t, "load") {
					x.Load(batch)
					x.Settle()
				} else {
					x.Apply(batch)
				}
			},
			"ask": func(t *rapid.T) {
				permission := Permission{Purpose: rapid.SampledFrom(purposes).Draw(t, "purpose"), Question: everybody(rapid.IntRange(0, 70).Draw(t, "question"))}
				p, q := drawPredicate(t, 3), drawPredicate(t, 2)
				decide(x, permission, permitEven)
				want := counted(permission, p)
				if n, ok := x.Count(permission, p); !ok || n != uint64(len(want)) {
					t.Fatalf("%s: %d, %v, want %d", p.text(), n, ok, len(want))
				}
				members, _ := x.Members(permission, p)
				if !slices.Equal(sorted(members), sorted(want)) {
					t.Fatalf("%s: members differ", p.text())
				}
				first, second, both, _ := x.Overlap(permission, p, q)
				other := counted(permission, q)
				common := uint64(len(slices.DeleteFunc(slices.Clone(want), func(id privacy.SubjectID) bool { return !slices.Contains(other, id) })))
				if both != common || first != uint64(len(want))-common || second != uint64(len(other))-common {
					t.Fatalf("overlap %d %d %d", first, second, both)
				}
				by := rapid.SampledFrom([][]FacetName{{"city"}, {"age_band", "city"}, {"gender", "age_band", "city"}}).Draw(t, "by")
				tables, _ := x.Breakdowns(permission, []Predicate{p, q}, by)
				for i, people := range [][]privacy.SubjectID{want, other} {
					if got, want := tableCells(tables[i]), cellsOf(model, people, by); !maps.Equal(got, want) {
						t.Fatalf("by %v: %v, want %v", by, got, want)
					}
				}
			},
		})
		present := 0
		for _, somebody := range model {
			if !somebody.gone {
				present++
			}
		}
		if size := x.Size(); size.Subjects != uint64(present) || size.Bytes == 0 {
			t.Fatalf("%+v, want %d subjects", size, present)
		}
	})
}

func sorted(ids []privacy.SubjectID) []privacy.SubjectID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b privacy.SubjectID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func cellsOf(model map[privacy.SubjectID]*person, ids []privacy.SubjectID, by []FacetName) map[string]uint64 {
	cells := make(map[string]uint64)
	for _, id := range ids {
		var values []string
		for _, name := range by {
			values = append(values, model[id].value(name))
		}
		cells[strings.Join(values, "|")]++
	}
	return cells
}

// tableCells gives the cells of a table that are not empty.
func tableCells(table Table) map[string]uint64 {
	cells := allCells(table)
	maps.DeleteFunc(cells, func(_ string, count uint64) bool { return count == 0 })
	return cells
}

// A breakdown of values that people write has a million cells and more, of which those are told where somebody is, and those that
// are there in any case.
func TestBreakdownOfMoreCellsThanPeople(t *testing.T) {
	by := []FacetName{"city", "gender", "employer", "street"}
	x := NewIndex(Facets{{Name: "city"}, facets[1], {Name: "employer"}, {Name: "street"}}, []privacy.PurposeName{"p"})
	var subjects []Subject
	want := map[string]uint64{"||": 0, "|male|": 0, "|female|": 1}
	for i := range 150 {
		value := strconv.Itoa(i)
		subjects = append(subjects, Subject{ID: privacy.SubjectID{byte(i), 1}, Version: 1, Facets: coded(x, "c"+value, "male", "e"+value, "s"+value), States: []Code{1}})
		want["c"+value+"|male|e"+value] = 1
	}
	subjects = append(subjects, Subject{ID: privacy.SubjectID{0, 2}, Version: 1, Facets: coded(x, "", "female", "", ""), States: []Code{1}})
	x.Apply(subjects)
	permission := Permission{Purpose: "p", Question: "q"}
	x.Decide(permission, []Code{1}, []bool{true})
	everybody := Predicate{Op: OpAny, Of: []Predicate{{Op: OpExists, Facet: "gender"}}}
	few, ok := x.Breakdowns(permission, []Predicate{everybody}, by[:3])
	if !ok || !maps.Equal(allCells(few[0]), want) {
		t.Errorf("in an array: %d cells, want %d", len(few[0].Cells), len(want))
	}
	many, _ := x.Breakdowns(permission, []Predicate{everybody}, by)
	if len(many[0].Cells) != len(want) || !slices.IsSorted(many[0].Cells) {
		t.Errorf("%d of ten million cells", len(many[0].Cells))
	}
	for cell, count := range allCells(many[0]) {
		if at := strings.LastIndex(cell, "|"); want[cell[:at]] != count {
			t.Errorf("%s: %d", cell, count)
		}
	}
}

func allCells(table Table) map[string]uint64 {
	cells := make(map[string]uint64)
	for i, count := range table.Counts {
		cells[strings.Join(table.Values(i), "|")] = count
	}
	return cells
}

// A facet with more values than can be told apart goes on working: the rest are people whose value is known and equals none.
func TestOverflowingFacet(t *testing.T) {
	open := Facets{{Name: "city"}}
	x := NewIndex(open, []privacy.PurposeName{"p"})
	const people = 1<<16 + 10
	batch := make([]Subject, people)
	for i := range batch {
		batch[i] = Subject{ID: subjectID(i), Version: 1, Facets: coded(x, strconv.Itoa(i)), States: []Code{2}}
	}
	x.Apply(batch)
	permission := Permission{Purpose: "p"}
	if n := mustCount(t, x, permission, Predicate{Op: OpExists, Facet: "city"}); n != people {
		t.Errorf("%d people have a city, want %d", n, people)
	}
	if n := mustCount(t, x, permission, Predicate{Op: OpEq, Facet: "city", Values: []string{strconv.Itoa(people - 1)}}); n != 0 {
		t.Errorf("a value beyond the last that can be told apart has %d people", n)
	}
	if n := mustCount(t, x, permission, Predicate{Op: OpEq, Facet: "city", Values: []string{"7"}}); n != 1 {
		t.Errorf("a value has %d people, want 1", n)
	}
}

// A policy state beyond those that can be told apart permits nothing, whatever the policy would say.
func TestOverflowingStatePermitsNothing(t *testing.T) {
	x := NewIndex(nil, []privacy.PurposeName{"p"})
	x.Apply([]Subject{{ID: subjectID(1), Version: 1, States: []Code{Overflow}}, {ID: subjectID(2), Version: 1, States: []Code{2}}})
	permission := Permission{Purpose: "p"}
	decide(x, permission, func(Code) bool { return true })
	if n, ok := x.Count(permission, Predicate{Op: OpAll}); !ok || n != 1 {
		t.Errorf("%d people may be counted, want 1", n)
	}
}

func TestDiary(t *testing.T) {
	x := NewIndex(nil, nil)
	start := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	note := func(n int, version Version, days int) {
		x.Apply([]Subject{{ID: subjectID(n), Version: version, Due: start.AddDate(0, 0, days)}})
	}
	note(1, 1, 5)
	note(2, 1, 3)
	note(3, 1, 9)
	note(1, 2, 2) // sooner
	note(3, 2, 20)
	if next := x.NextDue(); !next.Equal(start.AddDate(0, 0, 2)) {
		t.Errorf("next due %v", next)
	}
	if due := x.Due(start.AddDate(0, 0, 1)); len(due) != 0 {
		t.Errorf("due before time: %v", due)
	}
	if due := x.Due(start.AddDate(0, 0, 6)); !slices.Equal(sorted(due), []privacy.SubjectID{subjectID(1), subjectID(2)}) {
		t.Errorf("due: %v", due)
	}
	if due := x.Due(start.AddDate(0, 0, 6)); len(due) != 0 {
		t.Errorf("due twice: %v", due)
	}
	x.Again([]privacy.SubjectID{subjectID(2)}, start)
	if due := x.Due(start.AddDate(0, 0, 30)); !slices.Equal(sorted(due), []privacy.SubjectID{subjectID(2), subjectID(3)}) {
		t.Errorf("due later: %v", due)
	}
}

// counterModel is an index that is asked how many people there are, seen as a set under concurrent use.
type counterInput struct {
	add   bool
	count bool
	n     int
}

// Answers that are asked for while changes are applied are those of some moment in between (Herlihy, Wing 1990; checked by Porcupine).
func TestIndexIsLinearizable(t *testing.T) {
	model := porcupine.Model{
		Init: func() any { return uint64(0) },
		Step: func(state, input, output any) (bool, any) {
			set, in := state.(uint64), input.(counterInput)
			switch {
			case in.count:
				ones := uint64(0)
				for s := set; s != 0; s &= s - 1 {
					ones++
				}
				return output.(uint64) == ones, set
			case in.add:
				return true, set | 1<<in.n
			default:
				return true, set &^ (1 << in.n)
			}
		},
		Equal: func(a, b any) bool { return a == b },
	}
	x := NewIndex(nil, []privacy.PurposeName{"p"})
	permission := Permission{Purpose: "p"}
	decide(x, permission, permitEven)
	begin := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var running sync.WaitGroup
	for client := range 4 {
		running.Go(func() {
			for i := range 60 {
				in := counterInput{count: client%2 == 0, add: i%3 != 0, n: client*7 + i%7}
				op := porcupine.Operation{ClientId: client, Input: in, Call: int64(time.Since(begin))}
				if in.count {
					n, ok := x.Count(permission, Predicate{Op: OpAll})
					for !ok {
						decide(x, permission, permitEven)
						n, ok = x.Count(permission, Predicate{Op: OpAll})
					}
					op.Output = n
				} else {
					x.Apply([]Subject{{ID: subjectID(in.n), Version: Version(i + 1), Gone: !in.add, States: []Code{2}}})
				}
				op.Return = int64(time.Since(begin))
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	if result := porcupine.CheckOperationsTimeout(model, history, time.Minute); result != porcupine.Ok {
		t.Errorf("the history is not linearizable: %s", result)
	}
}

// Whoever was loaded is counted as if they had been applied one by one, also where they fill several containers, some are gone again before
// the index is settled, and others come later.
func TestLoadedPeopleAreCounted(t *testing.T) {
	const people = 3*settledAtOnce + 5000
	list := Facets{{Name: "city"}, {Name: "level"}}
	loaded, applied := NewIndex(list, []privacy.PurposeName{"p"}), NewIndex(list, []privacy.PurposeName{"p"})
	subject := func(x *Index, n int, version Version) Subject {
		city := strconv.Itoa((n + int(version)) * n % 97)
		return Subject{ID: subjectID(n), Version: version, Gone: n%11 == int(version), Facets: coded(x, city, strconv.Itoa(n%3)), States: []Code{Code(1 + n%50)}}
	}
	load := func(from, to int, version Version) {
		for n := from; n < to; n += 500 {
			var batch []Subject
			for i := n; i < n+500; i++ {
				batch = append(batch, subject(loaded, i, version))
				applied.Apply([]Subject{subject(applied, i, version)})
			}
			loaded.Load(batch)
		}
	}
	load(0, people-5000, 1)
	load(1000, 3000, 2) // some return, others go
	loaded.Settle()
	load(people-5000, people, 1)
	load(people-6000, people-4000, 3)
	loaded.Settle()
	permission := Permission{Purpose: "p", Question: "q"}
	for level := range 3 {
		for city := range 97 {
			p := Predicate{Op: OpAll, Of: []Predicate{{Op: OpEq, Facet: "city", Values: []string{strconv.Itoa(city)}}, {Op: OpEq, Facet: "level", Values: []string{strconv.Itoa(level)}}}}
			if got, want := mustCount(t, loaded, permission, p), mustCount(t, applied, permission, p); got != want || want == 0 && city == 0 {
				t.Fatalf("%d people of city %d and level %d, want %d", got, city, level, want)
			}
		}
	}
}
