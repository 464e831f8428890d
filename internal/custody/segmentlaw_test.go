package custody_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/demo"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
)

// Random predicates and purposes over people of many regimes and consents: the index counts as somebody who opens every value and takes every
// decision.
func TestSegmentsAreExact(t *testing.T) {
	people, predicates := 2000, 200
	if testing.Short() {
		people, predicates = 500, 40
	}
	exactSegments(t, people, predicates)
}

// BenchmarkSegmentsExact is TestSegmentsAreExact over a hundred thousand people, who take too long to be looked at one by one in
// every run of the tests. It tells how long the index took to be built from the database.
func BenchmarkSegmentsExact(b *testing.B) {
	for b.Loop() {
		took := exactSegments(b, 100_000, 200)
		b.ReportMetric(took.Seconds(), "s/build")
	}
}

// exactSegments compares the index with the truth, and tells how long it took to be built.
func exactSegments(t testing.TB, people, predicates int) time.Duration {
	v := setup(t)
	ids, err := demo.Load(t.Context(), v.Service, demo.People(people, 3, v.clock.Read()), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	v.follow()
	chance := rand.New(rand.NewPCG(1, 2))
	for i, id := range ids { // some who refuse, object, or agreed to something else
		if i%7 == 0 {
			v.agreeTo(id, custody.Consent{Action: []privacy.ConsentAction{privacy.ActionDeny, privacy.ActionObject}[chance.IntN(2)]})
		}
	}
	truth, err := v.NewTruth(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	askers := map[privacy.PurposeName]custody.Caller{"marketing.segment": consumer, "marketing.email": consumer, "marketing.sms": consumer,
		"analytics.profiling": {Caller: privacy.Caller{Client: "analyst", Roles: []privacy.Role{privacy.RoleConsumer}}}}
	purposes := []privacy.PurposeName{"marketing.segment", "marketing.email", "marketing.sms", "analytics.profiling"}
	counted := uint64(0)
	for compared := 0; compared < predicates; {
		purpose := purposes[chance.IntN(len(purposes))]
		predicate, err := json.Marshal(randomPredicate(chance, v.Facets(), 3))
		if err != nil {
			t.Fatal(err)
		}
		want, err := truth.Count(t.Context(), askers[purpose], predicate, purpose)
		if privacy.CodeOf(err) == "contradictory_predicate" || privacy.CodeOf(err) == "facet_not_permitted" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.TrueCount(t.Context(), askers[purpose], predicate, purpose)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %s: the index counts %d, everybody one by one %d", purpose, predicate, got, want)
		}
		counted += got
		compared++
	}
	if counted < uint64(people) {
		t.Errorf("only %d people were counted in all: the predicates say nothing", counted)
	}
	return v.SegmentProgress().Took
}

func randomPredicate(chance *rand.Rand, facets segment.Facets, depth int) segment.Predicate {
	if depth > 1 && chance.IntN(3) > 0 {
		op := []segment.Operator{segment.OpAll, segment.OpAny, segment.OpNot}[chance.IntN(3)]
		p := segment.Predicate{Op: op, Of: []segment.Predicate{randomPredicate(chance, facets, depth-1)}}
		for op != segment.OpNot && len(p.Of) < 3 && chance.IntN(2) == 0 {
			p.Of = append(p.Of, randomPredicate(chance, facets, depth-1))
		}
		return p
	}
	facet := facets[chance.IntN(len(facets))]
	if facet.Open() || chance.IntN(4) == 0 {
		return segment.Predicate{Op: segment.OpExists, Facet: facet.Name}
	}
	first := chance.IntN(len(facet.Values))
	last := first + chance.IntN(len(facet.Values)-first)
	if facet.Ordered && chance.IntN(2) == 0 {
		return segment.Predicate{Op: segment.OpBetween, Facet: facet.Name, Values: []string{facet.Values[first].Name, facet.Values[last].Name}}
	}
	return segment.Predicate{Op: segment.OpIn, Facet: facet.Name, Values: []string{facet.Values[first].Name, facet.Values[last].Name}}
}

// Withdrawal is immediate in segments: once it has returned from one node, no count on another uses the consent. 10,000 times of 10,000, under load.
func TestLaw3SegmentsOnAnotherNode(t *testing.T) {
	withdrawals, workers := int64(10_000), 12
	if testing.Short() {
		withdrawals = 300
	}
	v := setup(t)
	v.follow()
	other := v.another()
	other.follow()
	var done, counted atomic.Int64
	var running sync.WaitGroup
	for w := range workers {
		predicate := json.RawMessage(fmt.Sprintf(`{"facet":"city","eq":"Ort %d"}`, w))
		id := v.member(w, fields{"city": fmt.Sprintf("Ort %d", w)})
		running.Go(func() {
			for n := done.Add(1); n <= withdrawals; n = done.Add(1) {
				for _, step := range []struct {
					action privacy.ConsentAction
					want   uint64
				}{{privacy.ActionGrant, 1}, {privacy.ActionWithdraw, 0}} {
					v.agreeTo(id, custody.Consent{Action: step.action})
					if step.want == 1 && n%10 != 0 {
						continue // that the consent works is asked of one in ten
					}
					n, err := other.TrueCount(t.Context(), consumer, predicate, segmenting)
					if err != nil || n != step.want {
						t.Errorf("after a %s the other node counts %d, %v", step.action, n, err)
						return
					}
					counted.Add(int64(n))
				}
			}
		})
	}
	running.Wait()
	if counted.Load() != withdrawals/10 {
		t.Errorf("the consent counted %d times of %d", counted.Load(), withdrawals/10)
	}
}

func (v *vault) howMany(id custody.SegmentID) (*custody.Told, error) {
	return v.CountSegment(v.t.Context(), consumer, id, segmenting)
}

// townsfolk stores people of one city.
func (v *vault) townsfolk(city string, n int) {
	v.t.Helper()
	profiles := make([]custody.Profile, n)
	for i := range profiles {
		profiles[i] = v.profile([]string{fmt.Sprintf("crowd-%s-%d@example.com", city, i)}, fields{"city": city, "country": "DE", "birth_date": "1990-05-17"})
	}
	stored, err := v.Upsert(v.t.Context(), steward, profiles)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, s := range stored {
		v.agreeTo(s.ID, custody.Consent{Action: privacy.ActionGrant})
	}
}

// Aggregates single out nobody. Asking again does not average the noise away: the same question over unchanged data has the same answer, at no
// cost; over changed data it costs, until the budget is spent.
func TestLaw6AveragingAndDifferencing(t *testing.T) {
	v := setup(t)
	v.follow()
	v.townsfolk("Köln", 100)
	one := v.member(1, fields{"city": "Köln"})
	id := v.segment(`{"facet":"city","eq":"Köln"}`)
	first, err := v.howMany(id)
	if err != nil {
		t.Fatal(err)
	}
	if first.Epsilon != 0.5 || first.Budget.Remaining != 29.5 || first.Cells[0].Count == nil {
		t.Fatalf("%+v", first)
	}
	same := v.segment(`{"any":[{"facet":"city","in":["Köln","Köln"]}]}`) // said in other words
	for i := range 1000 {
		again, err := v.howMany([]custody.SegmentID{id, same}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		if *again.Cells[0].Count != *first.Cells[0].Count || !again.Repeated || again.Epsilon != 0 || again.Budget.Remaining != 29.5 {
			t.Fatalf("the %dth time: %+v", i, again)
		}
	}
	// With and without one person, over and over: every answer is fresh noise, and they come to an end.
	differences, answers := make(map[int64]bool), 0
	for {
		told, err := v.howMany(id)
		if privacy.CodeOf(err) == "budget_exhausted" {
			if privacy.KindOf(err) != privacy.KindRateLimited {
				t.Error(err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !told.Repeated {
			answers++
			differences[*told.Cells[0].Count-*first.Cells[0].Count] = true
		}
		v.agreeTo(one, custody.Consent{Action: []privacy.ConsentAction{privacy.ActionWithdraw, privacy.ActionGrant}[answers%2]})
	}
	if answers != 59 {
		t.Errorf("the budget gave %d answers after the first, want 59", answers)
	}
	if len(differences) < 5 {
		t.Errorf("59 answers differ from the first by only %v", differences)
	}
	if spent := v.count(`SELECT sum(epsilon_milli) FROM release`); spent != 30_000 {
		t.Errorf("%d thousandths were spent", spent)
	}
	v.clock.Advance(31 * 24 * time.Hour)
	if told, err := v.howMany(id); err != nil || told.Budget.Remaining != 29.5 {
		t.Errorf("in the next window: %+v, %v", told, err)
	}
}

// However many ask at once, on however many nodes, the budget is never overdrawn.
func TestLaw6ParallelRequestsOnABudget(t *testing.T) {
	v := setup(t)
	v.follow()
	other := v.another()
	other.follow()
	v.townsfolk("Köln", 60)
	const asked = 100
	ids := make([]custody.SegmentID, asked)
	for i := range ids {
		ids[i] = v.segment(fmt.Sprintf(`{"any":[{"facet":"city","eq":"Köln"},{"facet":"city","eq":"Ort %d"}]}`, i))
	}
	var told, refused atomic.Int64
	var running sync.WaitGroup
	for i, id := range ids {
		running.Go(func() {
			answer, err := []*vault{v, other}[i%2].howMany(id)
			switch {
			case err == nil && answer.Budget.Remaining >= 0:
				told.Add(1)
			case privacy.CodeOf(err) == "budget_exhausted":
				refused.Add(1)
			default:
				t.Errorf("%+v, %v", answer, err)
			}
		})
	}
	running.Wait()
	if told.Load() != 60 || refused.Load() != asked-60 {
		t.Errorf("%d told, %d refused", told.Load(), refused.Load())
	}
	if spent := v.count(`SELECT sum(epsilon_milli) FROM release`); spent != 30_000 {
		t.Errorf("%d thousandths were spent", spent)
	}
}

// A group below the minimum is not told, in whatever way it is asked about.
func TestLaw6SmallCells(t *testing.T) {
	v := setup(t)
	v.follow()
	v.townsfolk("Köln", 100)
	v.townsfolk("Graz", 5)
	small := v.segment(`{"facet":"city","eq":"Graz"}`)
	told, err := v.howMany(small)
	if err != nil || told.Cells[0].Count != nil || told.Total != nil {
		t.Fatalf("%+v, %v", told, err)
	}
	everybody := v.segment(`{"facet":"city","exists":true}`)
	told, err = v.BreakSegmentDown(t.Context(), consumer, everybody, segmenting, []custody.FacetName{"city"})
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range told.Cells {
		if city := cell.Facets["city"]; city != nil && *city != "Köln" || cell.Count != nil && city == nil {
			t.Errorf("%v is told", cell.Facets)
		}
	}
	if told.Total == nil || *told.Total < 50 {
		t.Errorf("the total is %v", told.Total)
	}
	few := v.segment(`{"facet":"age_band","eq":"18-24"}`)
	if _, err := v.Activate(t.Context(), consumer, few, marketing, []privacy.AttributeName{"email"}); privacy.CodeOf(err) != "cohort_too_small" {
		t.Errorf("a small segment is activated: %v", err)
	}
	third, err := v.BreakSegmentDown(t.Context(), consumer, everybody, segmenting, []custody.FacetName{"age_band", "gender", "customer_level"})
	if err != nil {
		t.Fatal(err)
	}
	if len(third.Cells) != 8*5*7 || third.Epsilon != 0.5 {
		t.Errorf("%d cells at %v", len(third.Cells), third.Epsilon)
	}
}

// With the database away there is no answer rather than a stale one.
func TestLaw2SegmentsWithoutDatabase(t *testing.T) {
	v := setup(t)
	id := v.segment(`{"facet":"city","exists":true}`)
	if _, err := v.howMany(id); privacy.CodeOf(err) != "segments_building" {
		t.Errorf("before the index is built: %v", err)
	}
	v.follow()
	if _, err := v.howMany(id); err != nil {
		t.Error(err)
	}
	v.exec(`ALTER ROLE ` + roleOf(v.login) + ` NOLOGIN`)
	v.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + roleOf(v.login) + `'`)
	for range 3 {
		if _, err := v.howMany(id); privacy.KindOf(err) != privacy.KindUnavailable {
			t.Errorf("without a database: %v", err)
		}
	}
}

func roleOf(login string) string {
	address, err := url.Parse(login)
	if err != nil {
		return ""
	}
	return address.User.Username()
}
