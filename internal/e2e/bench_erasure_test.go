package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// BenchmarkErasureRatios compares erasures with what they cannot do without: one with a bare puncture of a key page, many with a bare
// deletion of the same rows. Neither has processors to wait for.
func BenchmarkErasureRatios(b *testing.B) {
	const singles, many = 60, 10_000
	v := newBench(b, singles+many)
	table := ratios{file: "bench-erasure.json"}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			keys, err := keyring.OpenVault(b.Context(), v.keys, keyring.Options{})
			if err != nil {
				b.Fatal(err)
			}
			const spare = keyring.PageNo(1 << 20) // a page that nobody's key is on
			if _, err := keys.EnsurePage(b.Context(), spare); err != nil {
				b.Fatal(err)
			}
			slot := privacy.KeySlot(spare) * keyring.PageSize
			var punctures, erasures []time.Duration
			for i := range singles {
				start := time.Now()
				if err := keys.Puncture(b.Context(), slot+privacy.KeySlot(i)); err != nil {
					b.Fatal(err)
				}
				punctures = append(punctures, time.Since(start))
				erasures = append(erasures, v.eraseOne(v.ids[i]))
			}
			_ = keys.Close()
			table.add(b, ratio{Work: "one erasure, from the call to its certificate", Floor: "bare puncture of a key page, verified", WorkRate: perSecond(median(erasures)), BaseRate: perSecond(median(punctures)),
				Target: 0.2, Note: fmt.Sprintf("%.0f ms at the median; at most 50 are wanted", median(erasures).Seconds()*1000)})
		}
	})
	b.Run("many", func(b *testing.B) {
		for b.Loop() {
			doomed := v.ids[singles:]
			sql(b, v.connect(), `CREATE TABLE floor_value (LIKE attribute_value INCLUDING ALL)`)
			sql(b, v.connect(), `INSERT INTO floor_value SELECT * FROM attribute_value`)
			sql(b, v.connect(), "VACUUM ANALYZE")
			floor := v.deleteBare(doomed)
			took := v.eraseMany(doomed)
			table.add(b, ratio{Work: "10,000 erasures in batches of 1,000, each with a certificate", Floor: "bare DELETE of their attributes", WorkRate: many / took.Seconds(), BaseRate: many / floor.Seconds(),
				Target: 0.01, Note: "at least 500 a second are wanted"})
		}
	})
	table.report(b)
}

func perSecond(d time.Duration) float64 { return 1 / d.Seconds() }

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

// eraseOne has a person erased at their own request, and waits until it is completed.
func (v *bench) eraseOne(id string) time.Duration {
	v.t.Helper()
	var r rightsRequest
	self, officer := v.self(id), v.officer()
	start := time.Now()
	v.post("/v1/me/requests", self, object{"type": "erasure"}, http.StatusCreated).into(v.t, &r)
	for r.State != string(privacy.RequestCompleted) {
		if time.Since(start) > time.Minute {
			v.t.Fatalf("the erasure is %s after a minute", r.State)
		}
		time.Sleep(time.Millisecond)
		v.get("/v1/requests/"+r.ID, officer).into(v.t, &r)
	}
	return time.Since(start)
}

// eraseMany has people erased in batches, and waits until all of it is completed.
func (v *bench) eraseMany(ids []string) time.Duration {
	v.t.Helper()
	start := time.Now()
	for part := range slices.Chunk(ids, 1000) {
		var answer struct{ Requests []struct{ Problem string } }
		v.post("/v1/requests/batch", v.officer(), object{"type": "erasure", "ground": "no_longer_necessary", "subjects": part}, http.StatusOK).into(v.t, &answer)
		for _, r := range answer.Requests {
			if r.Problem != "" {
				v.t.Fatal(r.Problem)
			}
		}
	}
	db := v.connect()
	for {
		var left int
		if err := db.QueryRow(v.t.Context(), `SELECT count(*) FROM erasure WHERE step <> 'certified'`).Scan(&left); err != nil {
			v.t.Fatal(err)
		}
		if left == 0 {
			return time.Since(start)
		}
		if time.Since(start) > 10*time.Minute {
			v.t.Fatalf("%d erasures are left after ten minutes", left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// deleteBare is the floor of many erasures: their rows are deleted, as many at a time.
func (v *bench) deleteBare(ids []string) time.Duration {
	v.t.Helper()
	start := time.Now()
	for part := range slices.Chunk(ids, 250) {
		if _, err := v.pool.Exec(context.Background(), `DELETE FROM floor_value WHERE subject_id = ANY($1::uuid[])`, part); err != nil {
			v.t.Fatal(err)
		}
	}
	return time.Since(start)
}
