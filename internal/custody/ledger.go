package custody

import (
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// ledger is where a locked subject stands, while a record is put on their ledger.
type ledger struct {
	id       privacy.SubjectID
	standing privacy.Standing
	states   []store.ConsentState // those that the record could bear on
	seq      int32                // of the last record
	hash     []byte               // of the last record; nil when it has none
}

func newLedger(id privacy.SubjectID, head *store.LedgerHead) ledger {
	return ledger{id: id, standing: head.Subject.Standing, states: head.States, seq: head.Seq, hash: head.Hash}
}

// mentions reports whether the ledger has left something behind that the record could end. A policy that no longer
// knows a purpose may know it again: until then, too, what stands can be withdrawn, objected to and lifted.
func (l *ledger) mentions(record *store.ConsentRecord) bool {
	if !record.Action.AboutStanding() {
		return l.find(record.Purpose) >= 0
	}
	scope := privacy.ObjectionScope(record.Purpose)
	return slices.ContainsFunc(l.states, func(state store.ConsentState) bool { return scope.Covers(state.Purpose) }) ||
		slices.ContainsFunc(l.standing.Objections, func(o privacy.Objection) bool { return o.Scope == scope }) || record.Action.AboutRestriction()
}

// apply folds a record in.
func (l *ledger) apply(record *store.ConsentRecord) (state *store.ConsentState, standing *privacy.Standing) {
	if record.Action.AboutStanding() {
		next := foldStanding(l.standing, l.states, *record)
		if next.Equal(l.standing) {
			return nil, nil
		}
		l.standing = next
		return nil, &l.standing
	}
	i := l.find(record.Purpose)
	if i < 0 {
		l.states = append(l.states, foldConsent(store.ConsentState{}, false, *record))
		return &l.states[len(l.states)-1], nil
	}
	next := foldConsent(l.states[i], true, *record)
	if next.Seq != record.Seq {
		return nil, nil
	}
	l.states[i] = next
	return &l.states[i], nil
}

// append chains a record to the ledger, writes where it leads to, and tells of it.
func (l *ledger) append(w *store.Writes, record *store.ConsentRecord) {
	l.chain(record)
	w.AppendConsent(l.id, record)
	state, standing := l.apply(record)
	if state != nil {
		w.PutConsentState(l.id, state)
	}
	if standing != nil {
		w.PutStanding(l.id, *standing, record.RecordedAt)
	}
	if event, ok := l.event(*record); ok {
		w.AppendChange(event)
	} else if state != nil || standing != nil {
		// Nobody outside is told, a grant that waits to be confirmed for one, but segments follow.
		w.AppendChange(privacy.Event{ID: record.ID, Kind: privacy.EventSubjectsChanged, At: record.RecordedAt, Subject: l.id})
	}
}

func (l *ledger) find(purpose privacy.PurposeName) int {
	return slices.IndexFunc(l.states, func(state store.ConsentState) bool { return state.Purpose == purpose })
}

// askAgain reports whether a consent that was given does not count any more, so that the preference is to be
// asked again: it has run out, or rests on a notice older than the policy accepts.
func askAgain(state *store.ConsentState, status privacy.ConsentStatus, minimumNotice int) bool {
	return status == privacy.ConsentExpired || status == privacy.ConsentGranted && int(state.Notice.Version) < minimumNotice
}

// answer says where a record has left the subject, under a policy that asks for a notice of at least some version.
func (l *ledger) answer(record *store.ConsentRecord, minimumNotice int, at time.Time) Recorded {
	recorded := Recorded{ID: formatID(record.ID), Subject: l.id, Purpose: record.Purpose}
	purpose, single := privacy.ObjectionScope(record.Purpose).Purpose()
	if !single {
		recorded.Objected = slices.ContainsFunc(l.standing.Objections, func(o privacy.Objection) bool { return o.Scope == privacy.ObjectionScope(record.Purpose) })
		return recorded
	}
	given := privacy.GivenConsent{Status: privacy.ConsentNone}
	if i := l.find(purpose); i >= 0 {
		given = givenConsent(l.states[i], at)
		recorded.AskAgain = askAgain(&l.states[i], given.Status, minimumNotice)
	}
	recorded.Status, recorded.Objected = given.Status, l.standing.Objected(purpose, given)
	return recorded
}
