package segment

import (
	"iter"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// The true answers of an index are for [Release] and for tests; they are never told. ok is false when the permission has yet to be decided for some
// policy state ([Index.Undecided]).

// Count tells how many people a predicate describes, of those who may be counted.
func (x *Index) Count(permission Permission, p Predicate) (n uint64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	people, ok := x.permitted(permission)
	if !ok {
		return 0, false
	}
	return people.AndCardinality(x.evaluate(p)), true
}

// permitted gives who may be counted.
func (x *Index) permitted(permission Permission) (*roaring.Bitmap, bool) {
	if set := x.eligible[permission]; set != nil && len(x.undecided(permission)) == 0 {
		return set.people, true
	}
	return nil, false
}

// Table is how many people there are in each cell of a breakdown, every person in one of them. A cell in which nobody is
// is left out where the value of a facet is one that people write: that there is such a value is for the count to tell.
type Table struct {
	By     []FacetName
	Axes   [][]string // the values of each facet, sorted as the facet has it, and "" for those without at the end
	Cells  []int      // their places, rising: the value of the last facet changes fastest
	Counts []uint64
}

// Cells gives how many cells a breakdown has whatever there is, those of values that people write apart.
func (f Facets) Cells(by []FacetName) int {
	cells := 1
	for _, name := range by {
		if facet, known := f.Find(name); known && !facet.Open() {
			cells *= len(facet.Values) + 1
		}
	}
	return cells
}

// MaxCells bounds a breakdown: what has more cells shows nothing but noise.
const MaxCells = 10_000

// Breakdowns counts the people of each of some predicates, of those who may be counted, by the values of some facets, all as of one moment.
func (x *Index) Breakdowns(permission Permission, predicates []Predicate, by []FacetName) (tables []Table, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	permitted, ok := x.permitted(permission)
	if !ok {
		return nil, false
	}
	axes := make([]*axis, len(by))
	for i, name := range by {
		axes[i] = x.axis(name)
	}
	for _, p := range predicates {
		tables = append(tables, breakdown(roaring.And(permitted, x.evaluate(p)), axes))
	}
	return tables, true
}

// denseCells is up to how many cells are counted in an array; beyond, nearly all of them are empty.
const denseCells = 1 << 20

func breakdown(people *roaring.Bitmap, axes []*axis) Table {
	var table Table
	cells := 1
	for _, a := range axes {
		table.By, table.Axes = append(table.By, a.name), append(table.Axes, a.values)
		cells *= len(a.values)
	}
	switch {
	case len(axes) == 1:
		counts := make([]uint64, cells)
		axes[0].count(people, counts)
		table.gather(axes, counts)
	case cells <= denseCells:
		counts := make([]uint64, cells)
		countTogether(people, axes, func(cell int) { counts[cell]++ })
		table.gather(axes, counts)
	default:
		counts := make(map[int]uint64)
		countTogether(people, axes, func(cell int) { counts[cell]++ })
		for cell := range alwaysTold(axes) {
			counts[cell] += 0
		}
		table.Cells = slices.Sorted(maps.Keys(counts))
		for _, cell := range table.Cells {
			table.Counts = append(table.Counts, counts[cell])
		}
	}
	return table
}

// gather takes the cells over in which somebody is, and those that are there in any case.
func (t *Table) gather(axes []*axis, counts []uint64) {
	always := make([]bool, len(counts))
	for cell := range alwaysTold(axes) {
		always[cell] = true
	}
	for cell, count := range counts {
		if count > 0 || always[cell] {
			t.Cells, t.Counts = append(t.Cells, cell), append(t.Counts, count)
		}
	}
}

// alwaysTold goes through the cells that no value makes that people wrote.
func alwaysTold(axes []*axis) iter.Seq[int] {
	return func(yield func(int) bool) {
		cells := []int{0}
		for _, a := range axes {
			var next []int
			for _, cell := range cells {
				for place := range a.values {
					if !a.open || place == len(a.values)-1 {
						next = append(next, cell*len(a.values)+place)
					}
				}
			}
			cells = next
		}
		for _, cell := range cells {
			if !yield(cell) {
				return
			}
		}
	}
}

// axis is a facet of a breakdown.
type axis struct {
	name   FacetName
	open   bool
	column *column
	values []string
	codes  []Code // of the values
	places []int  // by code, the last for the overflow
}

func (x *Index) axis(name FacetName) *axis {
	i := x.facets.place(name)
	a := &axis{name: name, open: x.facets[i].Open(), column: &x.columns[i], values: x.words.values(i)}
	a.places = make([]int, len(a.values)+1)
	if a.open {
		slices.Sort(a.values)
	}
	for place, value := range a.values {
		code, _ := x.words.find(i, value)
		a.codes, a.places[code] = append(a.codes, code), place
	}
	a.values, a.codes = append(a.values, ""), append(a.codes, 0)
	a.places[0] = len(a.values) - 1
	return a
}

// place gives the place of a code. Values beyond those that can be told apart stand with those who have none.
func (a *axis) place(code Code) int {
	if int(code) < len(a.places) {
		return a.places[code]
	}
	return len(a.values) - 1
}

func (a *axis) count(people *roaring.Bitmap, counts []uint64) {
	for place, code := range a.codes {
		counts[place] = people.AndCardinality(a.column.read(code))
	}
	counts[len(counts)-1] += people.AndCardinality(a.column.read(Overflow))
}

// countTogether goes through the people once: with several facets there are more cells than it would be worth to intersect sets for.
func countTogether(people *roaring.Bitmap, axes []*axis, count func(cell int)) {
	iterator := people.ManyIterator()
	buffer := make([]uint32, 4096)
	for n := iterator.NextMany(buffer); n > 0; n = iterator.NextMany(buffer) {
		for _, ordinal := range buffer[:n] {
			cell := 0
			for _, a := range axes {
				cell = cell*len(a.values) + a.place(*a.column.values.at(ordinal))
			}
			count(cell)
		}
	}
}

// Overlap counts the people of two predicates: those whom the first alone describes, the second alone, and both.
func (x *Index) Overlap(permission Permission, p, q Predicate) (first, second, both uint64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	people, ok := x.permitted(permission)
	if !ok {
		return 0, 0, 0, false
	}
	a, b := roaring.And(people, x.evaluate(p)), roaring.And(people, x.evaluate(q))
	both = a.AndCardinality(b)
	return a.GetCardinality() - both, b.GetCardinality() - both, both, true
}

// Members lists the people that a predicate describes, of those who may be counted, in no particular order.
func (x *Index) Members(permission Permission, p Predicate) (ids []privacy.SubjectID, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	people, ok := x.permitted(permission)
	if !ok {
		return nil, false
	}
	members := roaring.And(people, x.evaluate(p))
	ids = make([]privacy.SubjectID, 0, members.GetCardinality())
	members.Iterate(func(ordinal uint32) bool {
		ids = append(ids, *x.ordinals.ids.at(ordinal))
		return true
	})
	return ids, true
}

// evaluate gives the people of a predicate, not to be changed.
func (x *Index) evaluate(p Predicate) *roaring.Bitmap {
	switch p.Op {
	case OpAll:
		return x.all(p.Of)
	case OpAny:
		sets := make([]*roaring.Bitmap, len(p.Of))
		for i, inner := range p.Of {
			sets[i] = x.evaluate(inner)
		}
		return union(sets)
	case OpNot:
		return roaring.AndNot(x.present, x.evaluate(p.Of[0]))
	}
	i := x.facets.place(p.Facet)
	if i < 0 {
		return nobody
	}
	switch p.Op {
	case OpExists:
		return roaring.AndNot(x.present, x.columns[i].read(0))
	case OpBetween:
		return x.oneOf(i, x.facets.between(&p))
	default:
		return x.oneOf(i, p.Values)
	}
}

// all intersects what is asserted first, and then takes away what is denied.
func (x *Index) all(members []Predicate) *roaring.Bitmap {
	var result *roaring.Bitmap
	owned := false
	for _, member := range members {
		if member.Op == OpNot {
			continue
		}
		set := x.evaluate(member)
		switch {
		case result == nil:
			result = set
		case owned:
			result.And(set)
		default:
			result, owned = roaring.And(result, set), true
		}
	}
	if result == nil {
		result = x.present
	}
	for _, member := range members {
		if member.Op != OpNot {
			continue
		}
		if denied := x.evaluate(member.Of[0]); owned {
			result.AndNot(denied)
		} else {
			result, owned = roaring.AndNot(result, denied), true
		}
	}
	return result
}

func (x *Index) oneOf(facet int, values []string) *roaring.Bitmap {
	sets := make([]*roaring.Bitmap, 0, len(values))
	for _, value := range values {
		if code, known := x.words.find(facet, value); known {
			sets = append(sets, x.columns[facet].read(code))
		}
	}
	return union(sets)
}

func union(sets []*roaring.Bitmap) *roaring.Bitmap {
	switch len(sets) {
	case 0:
		return nobody
	case 1:
		return sets[0]
	default:
		return roaring.FastOr(sets...)
	}
}

// Values gives the values of a cell, in the order of By.
func (t *Table) Values(i int) []string {
	cell, values := t.Cells[i], make([]string, len(t.Axes))
	for i := len(t.Axes) - 1; i >= 0; i-- {
		values[i] = t.Axes[i][cell%len(t.Axes[i])]
		cell /= len(t.Axes[i])
	}
	return values
}
