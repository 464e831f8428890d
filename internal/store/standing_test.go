package store_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// published puts some revision in force.
func (db *database) published() {
	db.t.Helper()
	db.exec(`INSERT INTO revision VALUES (repeat('a', 64), '', 'test', now())`)
	db.exec(`INSERT INTO publication VALUES (1, repeat('a', 64), 'test', now())`)
}

func TestStandingIsReadWithTheSubject(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.published()
	id := db.subject()
	wanted := privacy.Standing{}
	check := func() {
		t.Helper()
		db.write(func(tx *store.Tx) error {
			row, err := tx.LockSubject(t.Context(), id)
			if !row.Standing.Equal(wanted) || row.Version != 1 {
				t.Errorf("locked: %+v", row)
			}
			return err
		})
		_, snapshots, err := db.ReadForDisclosure(t.Context(), "p", nil, []privacy.SubjectID{id}, start)
		if err != nil || len(snapshots) != 1 || !snapshots[0].Subject.Standing.Equal(wanted) {
			t.Errorf("read: %+v, %v", snapshots, err)
		}
	}
	check()
	for _, next := range []privacy.Standing{
		{OptOutSignal: start.Add(time.Microsecond), LimitSensitive: start},
		privacy.Standing{}.Object("marketing.*", start).Object("*", start.Add(time.Hour)),
		{},
	} {
		db.write(func(tx *store.Tx) error { return tx.PutStanding(t.Context(), id, next, start) })
		wanted = next
		check()
	}
}

func TestStandingThatCannotBeReadFailsClosed(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	db.published()
	db.exec(`UPDATE subject SET standing = '{"objections":"ada@example.com"}'`)
	_, snapshots, err := db.ReadForDisclosure(t.Context(), "p", nil, []privacy.SubjectID{id}, start)
	if privacy.KindOf(err) != privacy.KindInternal || snapshots != nil {
		t.Errorf("%+v, %v", snapshots, err)
	}
	saysNothingOf(t, err, "ada")
}
