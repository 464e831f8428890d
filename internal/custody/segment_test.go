package custody_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

const segmenting privacy.PurposeName = "marketing.segment"

// follow has the vault's service keep an index, and waits until it is built.
func (v *vault) follow() {
	v.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(v.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { v.RunSegments(ctx) })
	v.t.Cleanup(func() {
		stop()
		running.Wait()
	})
	deadline := time.Now().Add(time.Minute)
	for !v.SegmentProgress().Ready {
		if time.Now().After(deadline) {
			v.t.Fatal("the index was not built")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// segment stores a segment of a predicate in JSON.
func (v *vault) segment(predicate string) custody.SegmentID {
	v.t.Helper()
	view, err := v.PutSegment(v.t.Context(), consumer, custody.SegmentID{}, 0, custody.SegmentDraft{Name: "test", Predicate: json.RawMessage(predicate)}, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	id, err := custody.ParseSegmentID(view.ID)
	if err != nil {
		v.t.Fatal(err)
	}
	return id
}

// exactly gives the true count of a predicate, and fails unless it is the one wanted.
func (v *vault) exactly(predicate string, want uint64) {
	v.t.Helper()
	got, err := v.TrueCount(v.t.Context(), consumer, json.RawMessage(predicate), segmenting)
	if err != nil {
		v.t.Fatal(err)
	}
	if got != want {
		v.t.Errorf("%s: %d people, want %d", predicate, got, want)
	}
}

func (v *vault) agreeTo(id privacy.SubjectID, consent custody.Consent) {
	v.t.Helper()
	consent.Purpose = segmenting
	if _, err := v.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) member(n int, attributes fields) privacy.SubjectID {
	v.t.Helper()
	attributes["country"] = "DE"
	id := v.put(fmt.Sprintf("member-%d@example.com", n), attributes)
	v.agreeTo(id, custody.Consent{Action: privacy.ActionGrant})
	return id
}

// An index follows what is written on its own node and on others: people who come, values that change, consents that are given and taken back, time
// that passes, and a policy that is replaced.
func TestSegmentsFollow(t *testing.T) {
	v := setup(t)
	before := v.member(1, fields{"city": "Köln", "birth_date": "1990-05-17"})
	v.follow()
	other := v.another()
	other.follow()
	both := func(predicate string, want uint64) {
		t.Helper()
		v.exactly(predicate, want)
		other.exactly(predicate, want)
	}
	const köln, graz = `{"facet":"city","eq":"Köln"}`, `{"facet":"city","eq":"Graz"}`
	both(köln, 1)
	after := v.member(2, fields{"city": "Köln", "birth_date": "2001-05-17"})
	both(köln, 2)
	other.patch(after, fields{"city": "Graz"})
	both(köln, 1)
	both(graz, 1)
	v.patch(after, fields{"city": nil})
	both(graz, 0)
	both(`{"not":{"facet":"city","exists":true}}`, 1)
	other.agreeTo(before, custody.Consent{Action: privacy.ActionWithdraw})
	both(köln, 0)
	v.agreeTo(before, custody.Consent{Action: privacy.ActionGrant})
	both(köln, 1)
	other.agreeTo(before, custody.Consent{Action: privacy.ActionObject})
	both(köln, 0)
	v.agreeTo(before, custody.Consent{Action: privacy.ActionLift})
	both(köln, 1)

	both(`{"facet":"age_band","eq":"25-34"}`, 0) // 24 and 35
	both(`{"facet":"age_band","between":["35-44","65+"]}`, 1)
	v.clock.Advance(100 * 24 * time.Hour) // past 17 May
	both(`{"facet":"age_band","eq":"25-34"}`, 1)
	v.agreeTo(before, custody.Consent{Action: privacy.ActionGrant, ExpiresAt: v.clock.Read().Add(time.Hour)})
	both(köln, 1)
	v.clock.Advance(2 * time.Hour)
	both(köln, 0)
	v.agreeTo(before, custody.Consent{Action: privacy.ActionGrant})
	both(köln, 1)
	v.clock.Advance(4 * 366 * 24 * time.Hour) // no city is kept for so long
	both(köln, 0)
}

// Once an erasure is marked, its subject is counted nowhere, although the key is still there.
func TestSegmentsForgetTheErased(t *testing.T) {
	v := setup(t)
	id := v.member(1, fields{"city": "Köln"})
	v.follow()
	other := v.another()
	other.follow()
	other.exactly(`{"facet":"city","eq":"Köln"}`, 1)
	err := v.store.Write(t.Context(), func(tx *store.Tx) error {
		subject, err := tx.LockSubject(t.Context(), id)
		if err != nil {
			return err
		}
		w := &store.Writes{}
		if _, err := v.MarkErased(t.Context(), tx, w, steward, []custody.Doomed{{Subject: subject, Request: privacy.RightsRequestID{1}}}, v.clock.Read()); err != nil {
			return err
		}
		return tx.Send(t.Context(), w)
	})
	if err != nil {
		t.Fatal(err)
	}
	other.exactly(`{"facet":"city","eq":"Köln"}`, 0)
	third := v.another()
	third.follow() // built after the erasure
	third.exactly(`{"facet":"city","exists":true}`, 0)
}

// Facets that were made by other rules, or never, as of people who were stored by an older version, are made when somebody first reads them.
func TestSegmentsMakeOldFacetsAnew(t *testing.T) {
	v := setup(t)
	id := v.member(1, fields{"city": "Köln"})
	v.exec(`UPDATE subject SET facets = NULL, facets_version = 0 WHERE subject_id = '` + id.String() + `'`)
	v.follow()
	v.exactly(`{"facet":"city","eq":"Köln"}`, 1)
	if n := v.count(`SELECT count(*) FROM subject WHERE facets IS NOT NULL AND facets_version = 1`); n != 1 {
		t.Errorf("%d have facets", n)
	}
}

// Somebody of whom something is damaged is counted nowhere, and everybody else as before: in an index that is built, and in one that follows. When it
// is mended they are back after an hour.
func TestSegmentsGoOnWithoutTheDamaged(t *testing.T) {
	v := setup(t)
	state, facets, later := v.member(1, fields{"city": "Köln"}), v.member(2, fields{"city": "Köln"}), v.member(3, fields{"city": "Köln"})
	v.member(4, fields{"city": "Köln"})
	v.exec(`UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = '` + state.String() + `'`)
	v.exec(`UPDATE subject SET facets = set_byte(facets, 20, get_byte(facets, 20) # 1) WHERE subject_id = '` + facets.String() + `'`)
	v.follow()
	v.exactly(`{"facet":"city","eq":"Köln"}`, 2)
	v.wantLeftOut(2)
	v.exec(`UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = '` + later.String() + `'`)
	v.exec(`INSERT INTO change (subject_id, change_id, kind, purpose, detail, at)
		SELECT subject_id, gen_random_uuid(), kind, purpose, detail, at FROM change WHERE subject_id = '` + later.String() + `' LIMIT 1`)
	v.exactly(`{"facet":"city","eq":"Köln"}`, 1)
	v.wantLeftOut(3)
	v.exec(`UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = '` + later.String() + `'`)
	v.exactly(`{"facet":"city","eq":"Köln"}`, 1)
	v.clock.Advance(time.Hour + time.Second)
	v.exactly(`{"facet":"city","eq":"Köln"}`, 2)
	v.wantLeftOut(2)
}

func (v *vault) wantLeftOut(want int) {
	v.t.Helper()
	if n := v.SegmentProgress().LeftOut; n != want {
		v.t.Errorf("%d are left out, want %d", n, want)
	}
}

// A node that finds the key pages of nobody is not ready with an index of nobody. When they are there it is, and whoever is damaged still is left out.
func TestSegmentsOfAnUnreadablePopulationAreNotReady(t *testing.T) {
	v := setup(t)
	v.townsfolk("Köln", 130)
	segment := v.segment(`{"facet":"city","eq":"Köln"}`)
	pages, away := filepath.Join(v.dir, "records", "pages"), filepath.Join(v.dir, "away")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(pages, away)
	other := v.another()
	for range 2 {
		wantCode(t, other.BuildSegments(t.Context()), privacy.KindUnavailable, "segments_unreadable")
		other.wantLeftOut(130)
		if _, err := other.howMany(segment); other.SegmentProgress().Ready || privacy.CodeOf(err) != "segments_building" {
			t.Errorf("it counts: %v", err)
		}
	}
	if err := os.RemoveAll(pages); err != nil {
		t.Fatal(err)
	}
	move(away, pages)
	v.exec(`UPDATE subject SET facets = set_byte(facets, 20, get_byte(facets, 20) # 1) WHERE subject_id IN (SELECT subject_id FROM subject LIMIT 65)`)
	if err := other.BuildSegments(t.Context()); err != nil || !other.SegmentProgress().Ready {
		t.Fatalf("with the pages: %v", err)
	}
	other.wantLeftOut(65)
	other.exactly(`{"facet":"city","eq":"Köln"}`, 65)
}

// What was told counts for as long as the window in force reaches back: a policy with a longer window renews no budget.
func TestLaw6AnotherWindowRenewsNothing(t *testing.T) {
	v := setup(t)
	v.follow()
	v.townsfolk("Köln", 60)
	if _, err := v.howMany(v.segment(`{"facet":"city","eq":"Köln"}`)); err != nil {
		t.Fatal(err)
	}
	for _, days := range []int{31, 45, 60, 90} {
		v.publish(func(data map[string]any) {
			client := data["clients"].(map[string]any)["crm-mailer"].(map[string]any)
			client["segments"] = map[string]any{"epsilon": 0.5, "budget": 30, "window_days": days, "minimum": 50}
		})
		budget, err := v.Budget(t.Context(), consumer, segmenting)
		if err != nil {
			t.Fatal(err)
		}
		if begun := budget.RenewsAt.Add(-time.Duration(days) * 24 * time.Hour); begun.Before(v.clock.Read().Add(-time.Hour)) && budget.Remaining != 29.5 {
			t.Errorf("with windows of %d days %v is left", days, budget.Remaining)
		}
	}
}
