package e2e_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/node"
)

// indexedPeople is how many people an index is measured over. Building one takes time in proportion to them.
const indexedPeople = 200_000

// BenchmarkRatiosIndex measures how fast a node reads everybody into its index of segments: twelve facets and up to six purposes
// each, from a warm database, against a program that reads the same rows and does nothing with them.
func BenchmarkRatiosIndex(b *testing.B) {
	levels := []string{"basic", "silver", "gold", "platinum"}
	v := newCrowd(b, indexedPeople, func(i int) string {
		return fmt.Sprintf(`,"city":"City %d","gender":"%s","province":"Province %d","industry":"Industry %d","education":"Education %d","marital_status":"Status %d",`+
			`"income":%d,"source":"Source %d","customer_level":"%s","orders_total":%d,"spend_total":%d`,
			i*i%100, []string{"male", "female"}[i/3%2], i*i%34, i%20, i%6, i%4, 10_000+i*37%150_000, i%8, levels[i/5%4], i%70, i*13%4000)
	}, withoutSegments)
	v.adjust = append(v.adjust, func(c *node.Config) { c.NoSegments = false })

	for b.Loop() {
		bare := v.bareCrowd()
		bare = min(bare, v.bareCrowd())
		n, url := v.start()
		v.indexed(url)
		progress := n.Service.SegmentProgress()
		if progress.Subjects != indexedPeople {
			b.Fatalf("%d people are in the index", progress.Subjects)
		}
		rate := indexedPeople / progress.Took.Seconds()
		b.ReportMetric(rate, "people/s")
		b.ReportMetric(0, "ns/op")
		_, _ = fmt.Fprintf(os.Stdout, "\n| index of %d people from a warm database | %.0f people/s | %.2f of reading the rows alone (%.0f/s, one connection) | ten million in %.0f s on %d processors | wished: 90 s |\n",
			indexedPeople, rate, bare.Seconds()/progress.Took.Seconds(), indexedPeople/bare.Seconds(), 1e7/rate, runtime.GOMAXPROCS(0))
	}
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
