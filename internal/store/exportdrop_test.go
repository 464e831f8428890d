package store_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

func (db *database) beginExport(id privacy.SubjectID) store.Export {
	db.t.Helper()
	e := store.Export{ID: privacy.ExportID{1}, Subject: id, Request: privacy.RightsRequestID{1}, BegunAt: start, ExpiresAt: start.Add(time.Hour), MadeAt: start, Size: 1}
	if err := db.BeginExport(db.t.Context(), &e); err != nil {
		db.t.Fatal(err)
	}
	return e
}

func (db *database) finishExport(e *store.Export) error {
	return db.Write(db.t.Context(), func(tx *store.Tx) error { return tx.FinishExport(db.t.Context(), e) })
}

func (db *database) exports() (n int) {
	db.t.Helper()
	if err := db.owner.QueryRow(db.t.Context(), `SELECT count(*) FROM export`).Scan(&n); err != nil {
		db.t.Fatal(err)
	}
	return n
}

// Of somebody who is erased no file is begun, and none finished that was begun before.
func TestExportOfTheErasedIsRefused(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	begun := db.beginExport(id)
	db.exec(`UPDATE subject SET erased_at = $2 WHERE subject_id = $1`, [16]byte(id), start)
	wantCode(t, db.finishExport(&begun), privacy.KindNotFound, "subject_erased")
	again := begun
	again.ID = privacy.ExportID{2}
	wantCode(t, db.BeginExport(t.Context(), &again), privacy.KindNotFound, "subject_erased")
	again.Subject = privacy.SubjectID{1}
	wantCode(t, db.BeginExport(t.Context(), &again), privacy.KindNotFound, "subject_not_found")
	if n := db.exports(); n != 1 {
		t.Errorf("there are %d exports", n)
	}
}

// A file that was dropped while it was made takes no more chunks, and is not finished.
func TestExportThatWasDroppedIsNotFinished(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	e := db.beginExport(id)
	if err := db.AppendChunk(t.Context(), id, e.ID, 0, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	db.write(func(tx *store.Tx) error { return tx.DropExports(t.Context(), id) })
	wantCode(t, db.AppendChunk(t.Context(), id, e.ID, 1, []byte("sealed")), privacy.KindConflict, "export_dropped")
	wantCode(t, db.finishExport(&e), privacy.KindConflict, "export_dropped")
	if n := db.exports(); n != 0 {
		t.Errorf("there are %d exports", n)
	}
}

// Who thinks that a file was not finished, because nobody told that the transaction was committed, does not take it away from whom it
// was finished for.
func TestDropExportLeavesOneThatWasMade(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id := db.subject()
	e := db.beginExport(id)
	if err := db.finishExport(&e); err != nil {
		t.Fatal(err)
	}
	if err := db.DropExport(t.Context(), id, e.ID); err != nil {
		t.Fatal(err)
	}
	if n := db.exports(); n != 1 {
		t.Errorf("there are %d exports", n)
	}
	begun := e
	begun.ID = privacy.ExportID{2}
	if err := db.BeginExport(t.Context(), &begun); err != nil {
		t.Fatal(err)
	}
	if err := db.DropExport(t.Context(), id, begun.ID); err != nil {
		t.Fatal(err)
	}
	if n := db.exports(); n != 1 {
		t.Errorf("there are %d exports, with the one that came to nothing", n)
	}
}
