package custody_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

func TestUpsertCreatesUpdatesAndRefuses(t *testing.T) {
	t.Parallel()
	v := setup(t)
	created := v.upsert(v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada", "country": "DE"}))
	if !created.Created {
		t.Error("not created")
	}
	v.decide(created.ID, privacy.ActionGrant)
	// Found by one identifier, in another spelling, and given a second one.
	updated := v.upsert(v.profile([]string{"ADA@Example.com", "ada@lovelace.example"}, fields{"given_name": "Augusta", "city": "London"}))
	if updated.Created || updated.ID != created.ID {
		t.Errorf("got %+v", updated)
	}
	v.wantTold(created.ID, told{"given_name": `"Augusta"`})
	if found := v.upsert(v.profile([]string{"ada@lovelace.example"}, nil)); found.ID != created.ID || found.Created {
		t.Errorf("the second identifier finds %+v", found)
	}
	other := v.upsert(v.profile([]string{"bob@example.com"}, nil))
	_, err := v.UpsertOne(t.Context(), steward, v.profile([]string{"bob@example.com", "ada@example.com"}, fields{"given_name": "Bob"}), custody.Once{})
	wantCode(t, err, privacy.KindConflict, "identifier_conflict")
	v.wantTold(created.ID, told{"given_name": `"Augusta"`})
	v.decide(other.ID, privacy.ActionGrant)
	v.wantTold(other.ID, told{"given_name": "!no_value"})
	results, err := v.Upsert(t.Context(), steward, []custody.Profile{{Source: "test"}, v.profile([]string{"eve@example.com"}, nil)})
	if err != nil || results[1].Err != nil || !results[1].Created {
		t.Errorf("beside a profile without identifiers: %+v, %v", results, err)
	}
	wantCode(t, results[0].Err, privacy.KindInvalid, "identifier_missing")
}

func TestUpsertFindsIdentifiersInAnyScript(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for _, same := range [][]string{{"zoë@example.com", "zoe\u0308@example.com"}, {"张伟@example.com", "张伟@EXAMPLE.com"}, {"STRASSE@example.com", "strasse@example.com"}} {
		first := v.put(same[0], nil)
		if second := v.put(same[1], nil); second != first {
			t.Errorf("%q and %q are two people", same[0], same[1])
		}
	}
}

// A batch leads to what its profiles lead to when they come one by one.
func TestUpsertOfABatchIsThatOfEach(t *testing.T) {
	t.Parallel()
	batched, single := setup(t), setup(t)
	rapid.Check(t, func(rt *rapid.T) {
		place := rapid.StringMatching(`[a-z]{12}`).Draw(rt, "place")
		lists := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 12), 1, 3), 1, 14).Draw(rt, "identifiers")
		var inBatch []custody.Profile
		var want []string
		people := map[privacy.SubjectID]int{}
		for _, list := range lists {
			var emails []string
			for _, n := range list {
				emails = append(emails, fmt.Sprintf("p%d@%s.example", n, place))
			}
			inBatch = append(inBatch, batched.profile(emails, nil))
			stored, err := single.UpsertOne(t.Context(), steward, single.profile(emails, nil), custody.Once{})
			want = append(want, outcome(stored, err, people))
		}
		results, err := batched.Upsert(t.Context(), steward, inBatch)
		if err != nil {
			rt.Fatal(err)
		}
		people = map[privacy.SubjectID]int{}
		for i, stored := range results {
			if got := outcome(stored, stored.Err, people); got != want[i] {
				rt.Fatalf("profile %d of %v: %s, want %s", i, lists, got, want[i])
			}
		}
	})
}

// outcome puts a result into words in which people are numbered as they come.
func outcome(stored custody.Upserted, err error, people map[privacy.SubjectID]int) string {
	if err != nil {
		return privacy.CodeOf(err)
	}
	if _, known := people[stored.ID]; !known {
		people[stored.ID] = len(people)
	}
	return fmt.Sprintf("person %d, created %t", people[stored.ID], stored.Created)
}

// A long chain, in which each profile is tied to the next by one identifier, is one person.
func TestUpsertOfALongChain(t *testing.T) {
	t.Parallel()
	v := setup(t)
	var chain []custody.Profile
	for n := range 40 {
		chain = append(chain, v.profile([]string{fmt.Sprintf("p%d@example.com", n), fmt.Sprintf("p%d@example.com", n+1)}, nil))
	}
	results, err := v.Upsert(t.Context(), steward, chain)
	if err != nil {
		t.Fatal(err)
	}
	for n, stored := range results {
		if stored.Err != nil || stored.ID != results[0].ID || stored.Created != (n == 0) {
			t.Errorf("profile %d: %+v", n, stored)
		}
	}
}

// Several services are sent the same people at once: each becomes one subject.
func TestUpsertByRacingServices(t *testing.T) {
	t.Parallel()
	one := setup(t)
	services := []*vault{one, one.another()}
	const senders, people = 4, 20
	results := make([][]custody.Upserted, senders)
	var all sync.WaitGroup
	for n := range senders {
		v := services[n%len(services)]
		var profiles []custody.Profile
		for p := range people {
			q := (p*(2*n+1) + n) % people // each in another order
			profiles = append(profiles, v.profile([]string{fmt.Sprintf("p%d@example.com", q), fmt.Sprintf("q%d@example.com", q)}, fields{"given_name": fmt.Sprint("N", n)}))
		}
		all.Go(func() {
			var err error
			if results[n], err = v.Upsert(t.Context(), steward, profiles); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	created := 0
	for _, stored := range slices.Concat(results...) {
		if stored.Err != nil {
			t.Error(stored.Err)
		}
		if stored.Created {
			created++
		}
	}
	if subjects := one.count(`SELECT count(*) FROM subject`); created != people || subjects != people {
		t.Errorf("%d subjects of %d people, %d told to be created", subjects, people, created)
	}
	if n := one.count(`SELECT count(*) FROM identifier i JOIN subject_identifier s USING (subject_id, type, blind_index)`); n != 2*people {
		t.Errorf("%d identifiers are bound both ways", n)
	}
}

// Updates that bind identifiers race with creations that claim the same ones, in other orders: nobody waits
// for ever, nothing is merged, and each identifier finds who was told to have it.
func TestUpsertUpdatesAndCreationsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	one := setup(t)
	services := []*vault{one, one.another()}
	var existing []privacy.SubjectID
	for n := range 4 {
		existing = append(existing, one.put(fmt.Sprintf("old%d@example.com", n), nil))
	}
	var all sync.WaitGroup
	for n := range 8 {
		v := services[n%2]
		emails := []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"}
		if n%2 == 1 {
			slices.Reverse(emails)
		}
		if n < 4 {
			emails = append([]string{fmt.Sprintf("old%d@example.com", n)}, emails...)
		}
		profile := v.profile(emails, nil)
		all.Go(func() {
			stored, err := v.UpsertOne(t.Context(), steward, profile, custody.Once{})
			if err != nil && privacy.CodeOf(err) != "identifier_conflict" {
				t.Error(err)
			}
			if err == nil && n < 4 && stored.ID != existing[n] {
				t.Error("an update went to somebody else")
			}
		})
	}
	all.Wait()
	if n := one.count(`SELECT count(DISTINCT subject_id) FROM identifier WHERE subject_id IN (SELECT subject_id FROM identifier GROUP BY 1 HAVING count(*) >= 4)`); n != 1 {
		t.Errorf("the four identifiers belong to %d subjects", n)
	}
}

// A damaged subject is turned away, and the others of the batch are not.
func TestUpsertBesideADamagedSubject(t *testing.T) {
	t.Parallel()
	v := setup(t)
	damaged := v.put("ada@example.com", nil)
	v.exec(`UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = $1`, [16]byte(damaged))
	results, err := v.Upsert(t.Context(), steward, []custody.Profile{v.profile([]string{"ada@example.com"}, nil), v.profile([]string{"bob@example.com"}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, results[0].Err, privacy.KindInternal, "sealed_value_not_authentic")
	if results[1].Err != nil || !results[1].Created {
		t.Errorf("got %+v", results[1])
	}
}

func TestUpsertDoesNotBringBackWhatIsOlder(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	v.decide(id, privacy.ActionGrant)
	exported := v.clock.Read()
	v.clock.Advance(time.Hour)
	v.patch(id, fields{"given_name": "Augusta", "education": nil, "city": "Potsdam"})
	v.clock.Advance(time.Hour)
	old := v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada", "education": "none", "province": "Berlin", "country": "CN"})
	old.CollectedAt = exported
	v.upsert(old)
	v.wantTold(id, told{"given_name": `"Augusta"`, "education": "!no_value", "province": `"Berlin"`})
	v.upsert(v.profile([]string{"ada@example.com"}, fields{"education": "PhD"}))
	v.wantTold(id, told{"education": `"PhD"`})
	if n := v.count(`SELECT version FROM attribute_value WHERE subject_id = $1 AND attribute_id = 21`, [16]byte(id)); n != 2 {
		t.Errorf("version %d after a deletion and a write", n)
	}
}

// A source whose clock is ahead does not outrank what the customer says next.
func TestUpsertFromAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	v := setup(t)
	profile := v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada", "country": "DE"})
	profile.CollectedAt = v.clock.Read().Add(50 * time.Second)
	id := v.upsert(profile).ID
	v.decide(id, privacy.ActionGrant)
	v.patch(id, fields{"given_name": "Augusta"})
	v.wantTold(id, told{"given_name": `"Augusta"`})
	export := v.profile([]string{"ada@example.com"}, fields{"given_name": "A."})
	export.CollectedAt = v.clock.Read()
	v.upsert(export)
	v.wantTold(id, told{"given_name": `"A."`})
}

// The law that applies follows what is known: set, changed, deleted.
func TestStateFollowsTheAttributes(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE", "birth_date": "1990-12-10", "birth_year": 1950})
	for _, step := range []struct {
		change  fields
		country string
		regime  privacy.Regime
		age     privacy.AgeBand
	}{
		{nil, "DE", privacy.RegimeGDPR, privacy.AgeAdult},
		{fields{"country": "CN"}, "CN", privacy.RegimePIPL, privacy.AgeAdult},
		{fields{"birth_date": "2015-01-01"}, "CN", privacy.RegimePIPL, privacy.AgeChild},
		{fields{"birth_date": nil}, "CN", privacy.RegimePIPL, privacy.AgeAdult}, // the year is left
		{fields{"birth_year": nil}, "CN", privacy.RegimePIPL, privacy.AgeUnknown},
		{fields{"country": nil}, "", privacy.RegimeDefault, privacy.AgeUnknown},
		{fields{"country": "GB", "birth_year": 2012}, "GB", privacy.RegimeUKGDPR, privacy.Age13},
	} {
		if step.change != nil {
			v.patch(id, step.change)
		}
		explained, err := v.Explain(t.Context(), steward, custody.Question{Client: "crm-mailer", Purpose: marketing, Attributes: []privacy.AttributeName{"email"}, Subject: &custody.SubjectRef{ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		if got := explained.Input.Subject; got.Country != step.country || got.Regime != step.regime || got.AgeBand != step.age {
			t.Errorf("after %v: %s, %s, %s", step.change, got.Country, got.Regime, got.AgeBand)
		}
	}
}

func TestNormaliseRepeatsNothing(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for code, draft := range map[string]custody.ProfileDraft{
		"invalid_source":          {Source: "Ada Lovelace"},
		"unknown_regime":          {Source: "test", Regime: "lovelace"},
		"collected_in_future":     {Source: "test", CollectedAt: v.clock.Read().Add(time.Hour)},
		"too_many_identifiers":    {Source: "test", Identifiers: make([]custody.IdentifierDraft, 21)},
		"unknown_identifier_type": {Source: "test", Identifiers: []custody.IdentifierDraft{{Type: "lovelace"}}},
		"unknown_attribute":       {Source: "test", Attributes: raw(t, fields{"lovelace": 1})},
	} {
		_, err := v.Normalise(draft)
		wantCode(t, err, privacy.KindInvalid, code)
	}
}
