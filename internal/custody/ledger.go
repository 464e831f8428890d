package custody

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// ledger is where a locked subject stands, while a record is put on their ledger.
type ledger struct {
	tx       *store.Tx
	id       privacy.SubjectID
	standing privacy.Standing
	states   []store.ConsentState
}

// mentions reports whether the ledger has left something behind that the record could end. A policy that no longer
// knows a purpose may know it again: until then, too, what stands can be withdrawn, objected to and lifted.
func (l *ledger) mentions(record store.ConsentRecord) bool {
	if !record.Action.AboutObjection() {
		return l.find(record.Purpose) >= 0
	}
	scope := privacy.ObjectionScope(record.Purpose)
	return slices.ContainsFunc(l.states, func(state store.ConsentState) bool { return scope.Covers(state.Purpose) }) ||
		slices.ContainsFunc(l.standing.Objections, func(o privacy.Objection) bool { return o.Scope == scope })
}

// append puts a record on the ledger and writes where it leads to.
func (l *ledger) append(ctx context.Context, record store.ConsentRecord) error {
	var err error
	if record.Seq, err = l.tx.AppendConsent(ctx, l.id, record); err != nil {
		return err
	}
	if record.Action.AboutObjection() {
		next := foldObjection(l.standing, l.states, record)
		if next.Equal(l.standing) {
			return nil
		}
		l.standing = next
		return l.tx.PutStanding(ctx, l.id, next, record.RecordedAt)
	}
	i := l.find(record.Purpose)
	if i < 0 {
		l.states = append(l.states, foldConsent(store.ConsentState{}, false, record))
		return l.tx.PutConsentState(ctx, l.id, l.states[len(l.states)-1])
	}
	next := foldConsent(l.states[i], true, record)
	if next.Seq != record.Seq {
		return nil
	}
	l.states[i] = next
	return l.tx.PutConsentState(ctx, l.id, next)
}

func (l *ledger) find(purpose privacy.PurposeName) int {
	return slices.IndexFunc(l.states, func(state store.ConsentState) bool { return state.Purpose == purpose })
}

// answer says where a record has left the subject.
func (l *ledger) answer(record store.ConsentRecord, at time.Time) Recorded {
	recorded := Recorded{ID: formatID(record.ID), Subject: l.id, Purpose: record.Purpose}
	purpose, single := privacy.ObjectionScope(record.Purpose).Purpose()
	if !single {
		recorded.Objected = slices.ContainsFunc(l.standing.Objections, func(o privacy.Objection) bool { return o.Scope == privacy.ObjectionScope(record.Purpose) })
		return recorded
	}
	given := privacy.GivenConsent{Status: privacy.ConsentNone}
	if i := l.find(purpose); i >= 0 {
		given = givenConsent(l.states[i], at)
	}
	recorded.Status, recorded.Objected = given.Status, l.standing.Objected(purpose, given)
	return recorded
}
