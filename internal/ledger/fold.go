package ledger

import (
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Where a subject stands follows from their ledger by the rules in this file and nothing else: the writer
// applies them to each record it appends, and a rebuild applies them to the whole ledger.

// Fold gives the state after a record; a record that changes nothing leaves it as it is. A
// withdrawal or denial always takes effect, whatever time it carries: clocks differ, and a
// withdrawal that was accepted must hold. A grant takes effect only when it is
// not older than the grant it renews, and later than the refusal it follows, so that neither a
// backdated grant nor a late import can bring a withdrawn consent back.
func Fold(current store.ConsentState, exists bool, record store.ConsentRecord) store.ConsentState {
	occurred := record.OccurredAt
	if exists && record.Action == privacy.ActionGrant {
		renews := current.Status == privacy.ConsentGranted && occurred.Equal(current.OccurredAt)
		if !renews && !occurred.After(current.OccurredAt) {
			return current
		}
	}
	if record.ConfirmBy != "" && exists && current.Status.StatusAt(occurred, current.ExpiresAt) == privacy.ConsentGranted {
		return current // what stands is not taken away by asking for it anew
	}
	if exists && occurred.Before(current.OccurredAt) {
		occurred = current.OccurredAt // a withdrawal dated before the grant it ends still ends it
	}
	status, _ := record.Action.Status()
	if record.ConfirmBy != "" {
		status = privacy.ConsentPending
	}
	return store.ConsentState{Purpose: record.Purpose, Seq: record.Seq, Status: status, Explicit: record.Explicit, SeparateFor: record.SeparateFor,
		By: record.By, OccurredAt: occurred, ExpiresAt: record.ExpiresAt, Notice: record.Notice, UpdatedAt: record.RecordedAt}
}

// foldStanding gives the standing after a record that is about no single consent.
func foldStanding(standing privacy.Standing, states []store.ConsentState, record store.ConsentRecord) privacy.Standing {
	switch record.Action {
	case privacy.ActionRestrict:
		return standing.Restrict(Latest(states, privacy.ScopeEverything, record.OccurredAt))
	case privacy.ActionUnrestrict:
		return standing.Unrestrict(record.OccurredAt)
	default:
		return foldObjection(standing, states, record)
	}
}

// foldObjection gives the standing after an objection or its lifting. Like a withdrawal, an objection
// takes effect whatever time it carries, also against the consents given before it was
// recorded; a lifting ends only what is older than itself.
func foldObjection(standing privacy.Standing, states []store.ConsentState, record store.ConsentRecord) privacy.Standing {
	scope := privacy.ObjectionScope(record.Purpose)
	if record.Action == privacy.ActionLift {
		return standing.Lift(scope, record.OccurredAt)
	}
	return standing.Object(scope, Latest(states, scope, record.OccurredAt))
}

// Latest gives the time of the newest of the states that the scope covers, or the given one if that is later.
func Latest(states []store.ConsentState, scope privacy.ObjectionScope, at time.Time) time.Time {
	for _, state := range states {
		if scope.Covers(state.Purpose) && state.OccurredAt.After(at) {
			at = state.OccurredAt
		}
	}
	return at
}

// foldSignals gives the standing after a subject's signals, in any order: what a rebuild applies besides the ledger.
func foldSignals(standing privacy.Standing, signals []store.Signal) privacy.Standing {
	for i := range signals {
		standing = standing.Signalled(signals[i].Effects)
	}
	return standing
}

// Given is what objections and signals are held against.
func Given(c store.ConsentState, now time.Time) privacy.GivenConsent {
	return privacy.GivenConsent{Status: c.Status.StatusAt(now, c.ExpiresAt), At: c.OccurredAt, Explicit: c.Explicit}
}
