package segment

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// The population of the benchmark: twelve facets, a hundred cities among them, and six purposes.
const (
	benchPeople   = 10_000_000
	benchCities   = 100
	benchStates   = 300
	benchPurposes = 6
	benchBatch    = 2000
)

func benchFacets() Facets {
	list := Facets{{Name: "city"}}
	for i, values := range []int{7, 4, 34, 20, 6, 4, 5, 6, 8, 7, 5} {
		f := Facet{Name: FacetName(fmt.Sprintf("facet_%d", i)), Ordered: true}
		for v := range values {
			f.Values = append(f.Values, Value{Name: fmt.Sprintf("value %d", v)})
		}
		list = append(list, f)
	}
	return list
}

// benchSubject makes somebody up. Cities and policy states are skewed, as they are.
func benchSubject(x *Index, chance *rand.Rand, list Facets, n int) Subject {
	values := make([]string, len(list))
	s := Subject{Version: 1, States: make([]Code, benchPurposes), Due: time.Unix(2_000_000_000+chance.Int64N(1e8), 0)}
	binary.BigEndian.PutUint64(s.ID[:], uint64(n))
	binary.BigEndian.PutUint64(s.ID[8:], chance.Uint64())
	values[0] = fmt.Sprintf("city %d", skewed(chance, benchCities))
	for i := 1; i < len(list); i++ {
		if v := chance.IntN(len(list[i].Values) + 1); v < len(list[i].Values) {
			values[i] = list[i].Values[v].Name
		}
	}
	s.Facets = coded(x, values...)
	for i := range s.States {
		s.States[i] = Code(1 + skewed(chance, benchStates))
	}
	return s
}

func skewed(chance *rand.Rand, n int) int {
	f := chance.Float64()
	return int(f * f * float64(n))
}

// BenchmarkTenMillion builds an index of ten million people and asks it, against the bare operation on the same bitmaps in the same
// run. It prints what it measures; bounds that do not depend on the machine fail it.
func BenchmarkTenMillion(b *testing.B) {
	list := benchFacets()
	purposes := make([]privacy.PurposeName, benchPurposes)
	for i := range purposes {
		purposes[i] = privacy.PurposeName(fmt.Sprintf("purpose.%d", i))
	}
	before := heapInUse()
	x := NewIndex(list, purposes)
	start := time.Now()
	var applying atomic.Int64
	var building sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		building.Go(func() {
			chance := rand.New(rand.NewPCG(uint64(w), 7))
			for n := w * benchBatch; n < benchPeople; n += runtime.GOMAXPROCS(0) * benchBatch {
				batch := make([]Subject, benchBatch)
				for i := range batch {
					batch[i] = benchSubject(x, chance, list, n+i)
				}
				begun := time.Now()
				x.Load(batch)
				applying.Add(int64(time.Since(begun)))
			}
		})
	}
	building.Wait()
	begun := time.Now()
	x.Settle()
	applying.Add(int64(time.Since(begun)))
	built := time.Since(start)
	size, heap := x.Size(), heapInUse()-before
	permission := Permission{Purpose: purposes[0]}
	decide(x, permission, func(code Code) bool { return code%3 != 0 })

	three := Predicate{Op: OpAll, Of: []Predicate{{Op: OpEq, Facet: "city", Values: []string{"city 3"}},
		{Op: OpBetween, Facet: "facet_0", Values: []string{"value 2", "value 3"}}, {Op: OpEq, Facet: "facet_5", Values: []string{"value 1"}}}}
	used := cpu()
	counts := timed(400, func() { _, _ = x.Count(permission, three) })
	countCPU := (cpu() - used) / 400
	having := func(facet int, value string) *roaring.Bitmap {
		code, _ := x.words.find(facet, value)
		return x.columns[facet].read(code)
	}
	city, tier, low, high := having(0, "city 3"), having(6, "value 1"), having(1, "value 2"), having(1, "value 3")
	people := x.eligible[permission].people
	bare := timed(400, func() {
		set := roaring.And(city, roaring.Or(low, high))
		set.And(tier)
		_ = people.AndCardinality(set)
	})
	everybody := Predicate{Op: OpExists, Facet: "city"}
	used = cpu()
	cities := timed(40, func() { _, _ = x.Breakdowns(permission, []Predicate{everybody}, []FacetName{"city"}) })
	citiesCPU := (cpu() - used) / 40
	cells := timed(10, func() {
		_, _ = x.Breakdowns(permission, []Predicate{everybody}, []FacetName{"facet_0", "facet_5", "facet_3"})
	})

	// A thousand changes a second, by tens, while counts go on.
	stop, changed := make(chan struct{}), 0
	var changing sync.WaitGroup
	changing.Go(func() {
		chance, ticker := rand.New(rand.NewPCG(9, 9)), time.NewTicker(10*time.Millisecond)
		defer ticker.Stop()
		for version := Version(2); ; version++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
				batch := make([]Subject, 10)
				for i := range batch {
					batch[i] = benchSubject(x, chance, list, 0)
					batch[i].ID, batch[i].Version = *x.ordinals.ids.at(chance.Uint32N(benchPeople)), version
				}
				x.Apply(batch)
				changed += len(batch)
			}
		}
	})
	begun = time.Now()
	busy := timed(2000, func() { _, _ = x.Count(permission, three) })
	for time.Since(begun) < 3*time.Second {
		busy = append(busy, timed(200, func() { _, _ = x.Count(permission, three) })...)
	}
	close(stop)
	changing.Wait()
	rate := float64(changed) / time.Since(begun).Seconds()
	slices.Sort(busy)

	ratio := float64(median(counts)) / float64(median(bare))
	b.Logf("\n%d people, 12 facets, %d purposes, %d policy states, %d processors\n"+
		"built in                   %v, of which the index took %v\nindex holds                %.0f MiB by its own account, %.0f MiB of heap\n"+
		"bare bitmap operation      %v\ncount of three facets      %v median, %v p99, %v of processor time, %.2f times the bare operation\n"+
		"  while %4.0f changes/s     %v median, %v p99\nbreakdown over 100 cities  %v median, %v p99, %v of processor time\nbreakdown of %d cells     %v median",
		size.Subjects, benchPurposes, size.States, runtime.GOMAXPROCS(0), built.Round(time.Millisecond), time.Duration(applying.Load()).Round(time.Millisecond),
		float64(size.Bytes)/(1<<20), float64(heap)/(1<<20), median(bare), median(counts), p99(counts), countCPU, ratio, rate, median(busy), p99(busy), median(cities), p99(cities), citiesCPU, 8*5*21, median(cells))
	b.ReportMetric(ratio, "times-bare")
	b.ReportMetric(float64(size.Bytes)/(1<<20), "MiB")
	if size.Subjects != benchPeople {
		b.Errorf("%d people are in the index", size.Subjects)
	}
	if ratio > 3 {
		b.Errorf("a count takes %.1f times the bare operation", ratio)
	}
	if heap > 1536<<20 || size.Bytes > 1536<<20 {
		b.Errorf("the index takes %d MiB, and says %d", heap>>20, size.Bytes>>20)
	}
}

// cpu is the processor time of this process: on a machine that others use too, it says more than the clock.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // it cannot fail with these arguments
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// timed measures a piece of work several times, and gives the times sorted.
func timed(times int, work func()) []time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		work()
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

func median(took []time.Duration) time.Duration { return took[len(took)/2].Round(time.Microsecond) }
func p99(took []time.Duration) time.Duration {
	return took[len(took)*99/100].Round(time.Microsecond)
}
