package custody

import (
	"slices"
	"time"

	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// askAgain reports whether a consent that was given does not count any more, so that the preference is to be
// asked again: it has run out, or rests on a notice older than the policy accepts.
func askAgain(state *store.ConsentState, status privacy.ConsentStatus, minimumNotice int) bool {
	return status == privacy.ConsentExpired || status == privacy.ConsentGranted && int(state.Notice.Version) < minimumNotice
}

// recordedOn says where a record has left the subject, under a policy that asks for a notice of at least some version.
func recordedOn(on *ledger.Head, record *store.ConsentRecord, minimumNotice int, at time.Time) Recorded {
	recorded := Recorded{ID: formatID(record.ID), Subject: on.ID, Purpose: record.Purpose}
	purpose, single := privacy.ObjectionScope(record.Purpose).Purpose()
	if !single {
		recorded.Objected = slices.ContainsFunc(on.Standing.Objections, func(o privacy.Objection) bool { return o.Scope == privacy.ObjectionScope(record.Purpose) })
		return recorded
	}
	given := privacy.GivenConsent{Status: privacy.ConsentNone}
	if state, there := on.State(purpose); there {
		given = ledger.Given(*state, at)
		recorded.AskAgain = askAgain(state, given.Status, minimumNotice)
	}
	recorded.Status, recorded.Objected = given.Status, on.Standing.Objected(purpose, given)
	return recorded
}
