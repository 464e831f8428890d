package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Rebuild is Verify that writes anew where a ledger leaves its subject, wherever that does not follow from
// it. A ledger that is itself not what was recorded is left alone: nothing follows from it. Each rebuild is put on record.
func Rebuild(ctx context.Context, db *store.Store, write func(at time.Time, drafts []audit.Draft) (audit.Batch, error), now func() time.Time) (*Report, error) {
	rebuilt, mended := 0, 0
	report, err := walk(ctx, db, func(ctx context.Context, seen *store.Ledger) error {
		done := false
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			done, err = rebuild(ctx, tx, seen.Subject, write, now().UTC().Truncate(time.Microsecond))
			return err
		})
		if err == nil && done {
			rebuilt++
			mended += len(verify(seen))
		}
		return err
	})
	if report != nil {
		report.Rebuilt = rebuilt
		report.Remaining -= mended
	}
	return report, err
}

// rebuild writes anew what does not follow, of a subject that is locked and read again. It reports whether all follows then.
func rebuild(ctx context.Context, tx *store.Tx, id privacy.SubjectID, write func(time.Time, []audit.Draft) (audit.Batch, error), at time.Time) (bool, error) {
	row, err := tx.LockAnySubject(ctx, id)
	if err != nil {
		return false, err
	}
	l, err := tx.ReadLedger(ctx, row)
	if err != nil {
		return false, err
	}
	states, standing := derive(l)
	w := &store.Writes{}
	for i := range states {
		if !slices.ContainsFunc(l.States, func(s store.ConsentState) bool { return s.Purpose == states[i].Purpose && sameState(&s, &states[i]) }) {
			w.PutConsentState(id, &states[i])
		}
	}
	if !standing.Equal(l.Standing) {
		w.PutStanding(id, standing, at)
	}
	batch, err := write(at, []audit.Draft{{At: at, Action: audit.ActionConsentRebuild, Client: privacy.SystemClient, Subject: id}})
	if err != nil {
		return false, err
	}
	w.AppendAudit(batch)
	w.AppendChange(privacy.Event{ID: batch.ID, Kind: privacy.EventSubjectsChanged, At: at, Subject: id})
	// A state that the ledger says nothing of cannot be taken away: nothing is deleted here.
	extra := slices.ContainsFunc(l.States, func(s store.ConsentState) bool {
		return !slices.ContainsFunc(states, func(d store.ConsentState) bool { return d.Purpose == s.Purpose })
	})
	return !extra, tx.Send(ctx, w)
}
