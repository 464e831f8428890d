package segment

import (
	"runtime"
	"slices"
	"sync"
)

// Whoever is new has their values in the columns first, and goes into the sets of those values afterwards, together with all others who are new: of
// a whole population that costs a fraction of adding them one by one, because each set gets its people in a run.

// Load is [Index.Apply] for an index that nobody asks yet. [Index.Settle] ends it.
func (x *Index) Load(subjects []Subject) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(subjects)
}

// Settle puts whoever was loaded into the sets of their values, so that the index can be asked.
func (x *Index) Settle() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.settle()
}

// settledAtOnce is how many ordinals are settled together: those that share a container of each set.
const settledAtOnce = 1 << 16

func (x *Index) settle() {
	if x.settled == x.ordinals.count {
		return
	}
	fresh := x.present.Iterator()
	fresh.AdvanceIfNeeded(x.settled)
	columns := x.allColumns()
	people := make([]uint32, 0, min(x.ordinals.count-x.settled, settledAtOnce))
	for fresh.HasNext() {
		people = append(people, fresh.Next())
		if !fresh.HasNext() || fresh.PeekNext()/settledAtOnce != people[0]/settledAtOnce {
			settleColumns(columns, people)
			people = people[:0]
		}
	}
	x.settled = x.ordinals.count
}

func (x *Index) allColumns() (columns []*column) {
	for i := range x.columns {
		columns = append(columns, &x.columns[i])
	}
	for i := range x.states {
		columns = append(columns, &x.states[i])
	}
	return columns
}

// fewSettled is up to how many are settled without more ado.
const fewSettled = 1000

func settleColumns(columns []*column, people []uint32) {
	if len(people) <= fewSettled {
		for _, c := range columns {
			c.settleFew(people)
		}
		return
	}
	var working sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		working.Go(func() {
			for i := w; i < len(columns); i += workers {
				columns[i].settleMany(people)
			}
		})
	}
	working.Wait()
}

func (c *column) settleFew(people []uint32) {
	for _, ordinal := range people {
		c.of(*c.values.at(ordinal)).Add(ordinal)
	}
}

// settleMany sorts people by their values, by counting, and gives each set its own.
func (c *column) settleMany(people []uint32) {
	var ends []int // by code
	for _, ordinal := range people {
		code := int(*c.values.at(ordinal))
		if code >= len(ends) {
			ends = append(ends, make([]int, code+1-len(ends))...)
		}
		ends[code]++
	}
	end := 0
	for code, count := range ends {
		end += count
		ends[code] = end
	}
	sorted := make([]uint32, len(people))
	for _, ordinal := range slices.Backward(people) {
		place := &ends[*c.values.at(ordinal)]
		*place--
		sorted[*place] = ordinal
	}
	for code, start := range ends { // by now they are where each begins
		next := len(sorted)
		if code+1 < len(ends) {
			next = ends[code+1]
		}
		if start < next {
			c.of(Code(code)).AddMany(sorted[start:next])
		}
	}
}
