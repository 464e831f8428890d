package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// indexedPeople is how many people an index is measured over, unless CONSENTRY_BENCH_PEOPLE says otherwise. Building one takes time in
// proportion to them.
const indexedPeople = 200_000

// BenchmarkRatiosIndex measures how fast a node reads everybody into its index of segments: twelve facets and up to six purposes
// each, from a warm database, against a program that reads the same rows and does nothing with them.
func BenchmarkRatiosIndex(b *testing.B) {
	levels := []string{"basic", "silver", "gold", "platinum"}
	people := indexedPeople
	if more := os.Getenv("CONSENTRY_BENCH_PEOPLE"); more != "" {
		people, _ = strconv.Atoi(more)
	}
	v := newCrowd(b, people, func(i int) string {
		return fmt.Sprintf(`,"city":"City %d","gender":"%s","province":"Province %d","industry":"Industry %d","education":"Education %d","marital_status":"Status %d",`+
			`"income":%d,"source":"Source %d","customer_level":"%s","orders_total":%d,"spend_total":%d`,
			i*i%100, []string{"male", "female"}[i/3%2], i*i%34, i%20, i%6, i%4, 10_000+i*37%150_000, i%8, levels[i/5%4], i%70, i*13%4000)
	}, withoutSegments)
	bare := min(v.bareCrowd(), v.bareCrowd())
	var rates, peaks []float64
	for range 3 {
		took, peak := v.indexing(people)
		rates, peaks = append(rates, float64(people)/took.Seconds()), append(peaks, peak)
	}
	slices.Sort(rates)
	rate := rates[len(rates)/2]
	for b.Loop() {
		b.ReportMetric(rate, "people/s")
		b.ReportMetric(0, "ns/op")
	}
	_, _ = fmt.Fprintf(os.Stdout, "\n| index of %d people from a warm database | %.0f people/s (%.0f to %.0f) | %.2f of reading the rows alone (%.0f/s, one connection) | ten million in %.0f s on %d processors | wished: 90 s | the process took %.0f MiB at its peak |\n",
		people, rate, rates[0], rates[len(rates)-1], rate*bare.Seconds()/float64(people), float64(people)/bare.Seconds(), 1e7/rate, runtime.GOMAXPROCS(0), slices.Max(peaks))
}

// indexing starts a node in a process of its own, and tells how long it took to build its index, and how many MiB of memory the process had
// at its peak.
func (v *bench) indexing(people int) (took time.Duration, peak float64) {
	v.t.Helper()
	node, url := v.launch([]string{"GOGC="})
	for ready := false; !ready; time.Sleep(10 * time.Millisecond) {
		var state struct{ Segments struct{ Ready bool } }
		a := v.call(http.MethodGet, url+"/readyz", "", nil)
		ready = a.status == http.StatusOK && json.Unmarshal(a.body, &state) == nil && state.Segments.Ready
	}
	body := string(v.call(http.MethodGet, url+"/metrics", "", nil).body)
	if n := metric(v.t, body, "consentry_segment_index_subjects"); int(n) != people {
		v.t.Fatalf("%.0f people are in the index", n)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", node.Process.Pid))
	if err != nil {
		v.t.Fatal(err)
	}
	_, high, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(high, &peak); err != nil {
		v.t.Fatal(err)
	}
	_ = node.Process.Signal(syscall.SIGTERM)
	if err := node.Wait(); err != nil {
		v.t.Fatal(err)
	}
	return time.Duration(metric(v.t, body, "consentry_segment_index_build_seconds") * float64(time.Second)), peak / 1024
}

// metric reads a number that the node reports.
func metric(t testing.TB, body, name string) (value float64) {
	t.Helper()
	for line := range strings.Lines(body) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// bareCrowd tells how long reading the rows that an index is made of takes at the least.
func (v *bench) bareCrowd() time.Duration {
	v.t.Helper()
	start := time.Now()
	rows, err := v.pool.Query(v.t.Context(), `SELECT s.subject_id, s.state, s.facets, c.purpose, c.status, c.explicit, c.separate_for, c.given_by, c.occurred_at, c.expires_at, c.notice_version
		FROM subject s LEFT JOIN consent_state c ON c.subject_id = s.subject_id ORDER BY s.subject_id`)
	if err != nil {
		v.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		_ = rows.RawValues()
	}
	if err := rows.Err(); err != nil {
		v.t.Fatal(err)
	}
	return time.Since(start)
}
