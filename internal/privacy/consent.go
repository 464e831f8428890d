package privacy

import "time"

// ConsentStatus is where a subject stands on one purpose.
type ConsentStatus string

// The states of consent. Only granted permits anything; expired is worked out when it
// is read, from the record's expiry.
const (
	ConsentNone      ConsentStatus = "none"
	ConsentPending   ConsentStatus = "pending"
	ConsentGranted   ConsentStatus = "granted"
	ConsentDenied    ConsentStatus = "denied"
	ConsentWithdrawn ConsentStatus = "withdrawn"
	ConsentExpired   ConsentStatus = "expired"
)

// ConsentAction is what a consent record does.
type ConsentAction string

// The actions on the ledger.
const (
	ActionGrant    ConsentAction = "grant"
	ActionDeny     ConsentAction = "deny"
	ActionWithdraw ConsentAction = "withdraw"
	ActionObject   ConsentAction = "object" // to processing that rests on something else than consent
	ActionLift     ConsentAction = "lift"   // takes an objection back

	ActionRestrict   ConsentAction = "restrict"   // all use but with a newer consent (GDPR Art. 18)
	ActionUnrestrict ConsentAction = "unrestrict" // ends that
)

// ConsentActions lists every action.
func ConsentActions() []ConsentAction {
	return []ConsentAction{ActionGrant, ActionDeny, ActionWithdraw, ActionObject, ActionLift, ActionRestrict, ActionUnrestrict}
}

// Status gives the state of consent an action leads to; ok is false when it is about objections, which
// are no state of consent, and when it is unknown.
func (a ConsentAction) Status() (ConsentStatus, bool) {
	switch a {
	case ActionGrant:
		return ConsentGranted, true
	case ActionDeny:
		return ConsentDenied, true
	case ActionWithdraw:
		return ConsentWithdrawn, true
	default:
		return ConsentNone, false
	}
}

// AboutObjection reports whether the action is about an objection, and so may have a scope wider than a purpose.
func (a ConsentAction) AboutObjection() bool { return a == ActionObject || a == ActionLift }

// AboutRestriction reports whether the action is about a restriction, which is of everything.
func (a ConsentAction) AboutRestriction() bool { return a == ActionRestrict || a == ActionUnrestrict }

// AboutStanding reports whether the action changes the subject's standing and not a state of consent.
func (a ConsentAction) AboutStanding() bool { return a.AboutObjection() || a.AboutRestriction() }

// ConsentScope is something a consent was given for separately (PIPL Art. 23, 25, 26, 29, 39).
type ConsentScope string

// The scopes of separate consent.
const (
	ScopeThirdParty  ConsentScope = "third_party"
	ScopePublic      ConsentScope = "public"
	ScopePublicImage ConsentScope = "public_image"
	ScopeSensitive   ConsentScope = "sensitive"
	ScopeTransfer    ConsentScope = "transfer"
)

// Valid reports whether the scope is of the closed list.
func (s ConsentScope) Valid() bool {
	switch s {
	case ScopeThirdParty, ScopePublic, ScopePublicImage, ScopeSensitive, ScopeTransfer:
		return true
	default:
		return false
	}
}

// ConsentBy says who gave the consent: the subject, or a guardian for a child.
type ConsentBy string

// Who can give consent.
const (
	BySelf     ConsentBy = "self"
	ByGuardian ConsentBy = "guardian"
)

// StatusAt applies expiry: a grant whose time has run out is expired.
func (s ConsentStatus) StatusAt(now, expires time.Time) ConsentStatus {
	if s == ConsentGranted && !expires.IsZero() && !now.Before(expires) {
		return ConsentExpired
	}
	return s
}
