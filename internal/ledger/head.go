package ledger

import (
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Head is where a locked subject stands, while records are put on their ledger.
type Head struct {
	ID       privacy.SubjectID
	Standing privacy.Standing
	States   []store.ConsentState // those that the records could bear on
	seq      int32                // of the last record
	hash     []byte               // of the last record; nil when it has none
}

// Open gives the head of a subject's ledger as it was read.
func Open(id privacy.SubjectID, read *store.LedgerHead) Head {
	return Head{ID: id, Standing: read.Subject.Standing, States: read.States, seq: read.Seq, hash: read.Hash}
}

// Mentions reports whether the ledger has left something behind that the record could end. A policy that no longer
// knows a purpose may know it again: until then, too, what stands can be withdrawn, objected to and lifted.
func (h *Head) Mentions(record *store.ConsentRecord) bool {
	if !record.Action.AboutStanding() {
		return h.find(record.Purpose) >= 0
	}
	scope := privacy.ObjectionScope(record.Purpose)
	return slices.ContainsFunc(h.States, func(state store.ConsentState) bool { return scope.Covers(state.Purpose) }) ||
		slices.ContainsFunc(h.Standing.Objections, func(o privacy.Objection) bool { return o.Scope == scope }) || record.Action.AboutRestriction()
}

// apply folds a record in.
func (h *Head) apply(record *store.ConsentRecord) (state *store.ConsentState, standing *privacy.Standing) {
	if record.Action.AboutStanding() {
		next := foldStanding(h.Standing, h.States, *record)
		if next.Equal(h.Standing) {
			return nil, nil
		}
		h.Standing = next
		return nil, &h.Standing
	}
	i := h.find(record.Purpose)
	if i < 0 {
		h.States = append(h.States, Fold(store.ConsentState{}, false, *record))
		return &h.States[len(h.States)-1], nil
	}
	next := Fold(h.States[i], true, *record)
	if next.Seq != record.Seq {
		return nil, nil
	}
	h.States[i] = next
	return &h.States[i], nil
}

// Append chains a record to the ledger, writes where it leads to, and tells of it.
func (h *Head) Append(w *store.Writes, record *store.ConsentRecord) {
	h.chain(record)
	w.AppendConsent(h.ID, record)
	state, standing := h.apply(record)
	if state != nil {
		w.PutConsentState(h.ID, state)
	}
	if standing != nil {
		w.PutStanding(h.ID, *standing, record.RecordedAt)
	}
	if event, ok := h.event(*record); ok {
		w.AppendChange(event)
	} else if state != nil || standing != nil {
		// Nobody outside is told, a grant that waits to be confirmed for one, but segments follow.
		w.AppendChange(privacy.Event{ID: record.ID, Kind: privacy.EventSubjectsChanged, At: record.RecordedAt, Subject: h.ID})
	}
}

// State gives the state on a purpose, if there is one.
func (h *Head) State(purpose privacy.PurposeName) (state *store.ConsentState, there bool) {
	i := h.find(purpose)
	if i < 0 {
		return nil, false
	}
	return &h.States[i], true
}

func (h *Head) find(purpose privacy.PurposeName) int {
	return slices.IndexFunc(h.States, func(state store.ConsentState) bool { return state.Purpose == purpose })
}

// Overtaken reports whether something was decided about the purpose since the record that awaits confirmation: a
// withdrawal or objection must not be undone by an older link.
func (h *Head) Overtaken(awaiting int32, since time.Time, purpose privacy.PurposeName) bool {
	objected := func(o privacy.Objection) bool { return o.Scope.Covers(purpose) && !o.At.Before(since) }
	if slices.ContainsFunc(h.Standing.Objections, objected) {
		return true
	}
	i := h.find(purpose)
	return i >= 0 && h.States[i].Seq > awaiting
}
