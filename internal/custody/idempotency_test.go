package custody_test

import (
	"reflect"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

func TestRepeatedConsentIsRecordedOnce(t *testing.T) {
	t.Parallel()
	one := setup(t)
	services := []*vault{one, one.another()}
	id := one.put("ada@example.com", nil)
	grant := custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}
	once := custody.Once{Client: "crm", Key: "k1", Operation: "consent", Request: []byte("grant")}
	const repeats = 6
	answers := make([]custody.Recorded, repeats)
	var all sync.WaitGroup
	for n := range repeats {
		all.Go(func() {
			var err error
			if answers[n], err = services[n%2].RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, grant, once); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, answer := range answers {
		if !reflect.DeepEqual(answer, answers[0]) || answer.ID == "" {
			t.Errorf("answered %+v and %+v", answers[0], answer)
		}
	}
	if n := one.count(`SELECT count(*) FROM consent_record`); n != 1 {
		t.Errorf("%d records", n)
	}
	once.Request = []byte("withdraw")
	_, err := one.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionWithdraw}, once)
	wantCode(t, err, privacy.KindConflict, "idempotency_key_reused")
	once.Request, once.Operation = []byte("grant"), "another"
	_, err = one.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, grant, once)
	wantCode(t, err, privacy.KindConflict, "idempotency_key_reused")
}

func TestRepeatedUpsertGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	v := setup(t)
	once := custody.Once{Client: "crm", Key: "k1", Operation: "upsert", Request: []byte("ada")}
	profile := v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada"})
	first, err := v.UpsertOne(t.Context(), steward, profile, once)
	if err != nil || !first.Created {
		t.Fatalf("got %+v, %v", first, err)
	}
	v.patch(first.ID, fields{"given_name": "Augusta"})
	version := v.count(`SELECT version FROM subject`)
	again, err := v.UpsertOne(t.Context(), steward, profile, once)
	if err != nil || again != first {
		t.Errorf("got %+v, %v; want %+v", again, err, first)
	}
	if v.count(`SELECT version FROM subject`) != version {
		t.Error("the repeat wrote again")
	}
	// What fails is not kept: a repeat tries again.
	once.Key = "k2"
	_, err = v.UpsertOne(t.Context(), steward, custody.Profile{Source: "test"}, once)
	wantCode(t, err, privacy.KindInvalid, "identifier_missing")
	if repeated, err := v.UpsertOne(t.Context(), steward, profile, once); err != nil || repeated.Created {
		t.Errorf("got %+v, %v", repeated, err)
	}
}

func TestRepeatedUpdateTellsTheSameFields(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	values, err := v.NormaliseAttributes(raw(t, fields{"given_name": "Ada", "city": nil}))
	if err != nil {
		t.Fatal(err)
	}
	once := custody.Once{Client: "crm", Key: "k", Operation: "update"}
	for range 2 {
		updated, err := v.UpdateAttributes(t.Context(), steward, id, values, "test", once)
		if err != nil || len(updated) != 2 || updated[0] != "city" || updated[1] != "given_name" {
			t.Errorf("got %v, %v", updated, err)
		}
	}
	if n := v.count(`SELECT version FROM subject`); n != 2 {
		t.Errorf("version %d", n)
	}
}
