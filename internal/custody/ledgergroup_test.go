package custody_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// many stores a number of people.
func (v *vault) many(n int) []privacy.SubjectID {
	v.t.Helper()
	ids := make([]privacy.SubjectID, n)
	for i := range ids {
		ids[i] = v.put(fmt.Sprintf("person%d@example.com", i), nil)
	}
	return ids
}

// Records are written in groups, and one whose subject somebody else holds keeps none of the others waiting.
func TestConsentsDoNotWaitForSomebodyElsesLock(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ids := v.many(24)
	held := ids[0]
	tx, err := v.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM subject WHERE subject_id = $1 FOR UPDATE`, [16]byte(held)); err != nil {
		t.Fatal(err)
	}
	grant := func(id privacy.SubjectID) error {
		_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
		return err
	}
	waiting := make(chan error, 1)
	go func() { waiting <- grant(held) }()
	var others sync.WaitGroup
	for _, id := range ids[1:] {
		others.Go(func() {
			for range 3 {
				if err := grant(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	others.Wait()
	select {
	case err := <-waiting:
		t.Errorf("a consent of a subject who is held was answered: %v", err)
	default:
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if records, states := v.count(`SELECT count(*) FROM consent_record`), v.count(`SELECT count(*) FROM consent_state WHERE status = 'granted'`); records != 3*23+1 || states != 24 {
		t.Errorf("%d records, %d states", records, states)
	}
}

// Several records of one person at once are written one by one, each with its receipt.
func TestConsentsOfOnePersonAtOnceHaveReceipts(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.many(1)[0]
	var calls sync.WaitGroup
	for n := range 64 {
		action := []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionDeny, privacy.ActionWithdraw}[n%3]
		calls.Go(func() {
			recorded, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: action}, custody.Once{})
			if err != nil || recorded.Receipt == "" {
				t.Errorf("receipt %q, %v", recorded.Receipt, err)
			}
		})
	}
	calls.Wait()
	if without := v.count(`SELECT count(*) FROM consent_record r WHERE NOT EXISTS (SELECT FROM consent_receipt c WHERE c.subject_id = r.subject_id AND c.record_id = r.record_id)`); without != 0 {
		t.Errorf("%d records have no receipt", without)
	}
}

// What cannot be written fails by itself: nobody in its group is told of a failure that is not theirs, and nobody is recorded twice.
func TestConsentsOfAGroupDoNotShareTheirFate(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ids := v.many(40)
	v.exec(`ALTER TABLE consent_record ADD CHECK (channel <> 'broken')`)
	var calls sync.WaitGroup
	for i, id := range ids {
		consent := custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}
		if i%8 == 0 {
			consent.Channel = "broken"
		}
		calls.Go(func() {
			_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{})
			if i%8 == 0 && privacy.KindOf(err) != privacy.KindInternal {
				t.Errorf("got %v of what the database refuses", err)
			}
			if i%8 != 0 && err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	for _, table := range []string{"consent_record", "consent_state", "consent_receipt", "change WHERE kind LIKE 'consent.%'"} {
		if rows := v.count(`SELECT count(*) FROM ` + table); rows != 35 {
			t.Errorf("%d rows in %s, want 35", rows, table)
		}
	}
	if entries := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'consent.grant'`); entries != 35 {
		t.Errorf("%d audit entries, want 35", entries)
	}
}

// Two records of one subject at a time are both kept, one after the other.
func TestConsentsOfOneSubjectAtATime(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("one@example.com", nil)
	var calls sync.WaitGroup
	for i := range 30 {
		action := []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionWithdraw}[i%2]
		calls.Go(func() {
			once := custody.Once{Client: "crm", Key: fmt.Sprint("key ", i/3), Operation: "consents-record", Request: []byte(action)}
			_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: action}, once)
			if err != nil && privacy.CodeOf(err) != "idempotency_key_reused" {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	// Of three calls with a key the first to come is recorded; one other says the same again or something else.
	if records, last := v.count(`SELECT count(*) FROM consent_record`), v.count(`SELECT max(seq) FROM consent_record`); records != 10 || last != 10 {
		t.Errorf("%d records, the last is %d, want 10", records, last)
	}
}
