package privacy

import (
	"slices"
	"time"
)

// EventKind says what happened that others must be told of. The names are what receivers switch on: add,
// but never rename.
type EventKind string

// The kinds of events.
const (
	EventConsentGranted    EventKind = "consent.granted"
	EventConsentDenied     EventKind = "consent.denied"
	EventConsentWithdrawn  EventKind = "consent.withdrawn"
	EventObjectionRecorded EventKind = "objection.recorded"
	EventObjectionLifted   EventKind = "objection.lifted"
	EventSignalReceived    EventKind = "signal.received"

	EventRestrictionRecorded EventKind = "restriction.recorded"
	EventRestrictionLifted   EventKind = "restriction.lifted"

	// What was done because a subject asked for it, which the processors that have received them must do as well, and confirm.
	EventSubjectErased     EventKind = "subject.erased"
	EventSubjectPartErased EventKind = "subject.part_erased" // some of their attributes
	EventSubjectRectified  EventKind = "subject.rectified"
	EventSubjectRestricted EventKind = "subject.restricted"
	EventSubjectWithdrawn  EventKind = "subject.withdrawn" // all their consents

	// What an officer must look at.
	EventRequestDueSoon   EventKind = "request.due_soon"
	EventRequestEscalated EventKind = "request.escalated" // a processor does not confirm

	EventPolicyPublished  EventKind = "policy.published"
	EventPolicyRolledBack EventKind = "policy.rolled_back"
)

// EventSubjectsChanged says that what segments see of people may have changed. It is for the nodes of the vault
// alone, and nobody else is told.
const EventSubjectsChanged EventKind = "subjects.changed"

// EventKinds lists those that others can be told of.
func EventKinds() []EventKind {
	return []EventKind{EventConsentGranted, EventConsentDenied, EventConsentWithdrawn, EventObjectionRecorded, EventObjectionLifted,
		EventSignalReceived, EventRestrictionRecorded, EventRestrictionLifted, EventSubjectErased, EventSubjectPartErased, EventSubjectRectified, EventSubjectRestricted, EventSubjectWithdrawn,
		EventRequestDueSoon, EventRequestEscalated, EventPolicyPublished, EventPolicyRolledBack}
}

// FollowsRequest reports whether the kind is of what a request of a subject has led to. Such an event has the name of the request, is told
// to the processors that were noted for it and to nobody else, and waits to be acknowledged.
func (k EventKind) FollowsRequest() bool {
	return k == EventSubjectErased || k == EventSubjectPartErased || k == EventSubjectRectified || k == EventSubjectRestricted || k == EventSubjectWithdrawn
}

// ForOfficer reports whether the kind is an officer's business: processors are told of it only where it is named at their
// registration, as for a system of tickets.
func (k EventKind) ForOfficer() bool {
	return k == EventRequestDueSoon || k == EventRequestEscalated
}

// Valid reports whether the kind is of the closed list.
func (k EventKind) Valid() bool { return slices.Contains(EventKinds(), k) }

// Event is a change that others are told of. It leaves the vault and lies in clear in the database, so
// it has pseudonyms, names of the policy and times, and nothing a person said or wrote. There is no
// field for free text on purpose.
type Event struct {
	ID      [16]byte // a UUIDv7
	Kind    EventKind
	At      time.Time
	Subject SubjectID   // zero: about the policy
	Purpose PurposeName // "" when it concerns none in particular
	Detail  EventDetail
}

// Name is the event's id in text, by which others know it.
func (e *Event) Name() string { return formatUUID(e.ID) }

// EventDetail is the rest of an event, by kind.
type EventDetail struct {
	Status   ConsentStatus `json:"status,omitempty"`   // where a subject stands on the purpose now
	Record   string        `json:"record,omitempty"`   // the id of the ledger's record
	Signals  []string      `json:"signals,omitempty"`  // which kinds of signal were received: gpc, tcf, gpp
	Revision RevisionID    `json:"revision,omitempty"` // the policy revision now in force
	Subjects []SubjectID   `json:"subjects,omitempty"` // who has changed, when they are several
	Request  string        `json:"request,omitempty"`  // the id of the request that it follows from, to be named in the acknowledgement

	DueAt     *time.Time `json:"due_at,omitempty"`    // of a request that is due soon
	Processor string     `json:"processor,omitempty"` // the id of one that does not confirm

	Attributes []AttributeName `json:"attributes,omitempty"` // whose values were put right, or erased
}

// ConsentEvent gives the kind of event that a consent's new status is; ok is false for one nobody is
// told of.
func ConsentEvent(status ConsentStatus) (kind EventKind, ok bool) {
	switch status {
	case ConsentGranted:
		return EventConsentGranted, true
	case ConsentDenied:
		return EventConsentDenied, true
	case ConsentWithdrawn:
		return EventConsentWithdrawn, true
	default:
		return "", false
	}
}
