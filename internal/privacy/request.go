package privacy

import "slices"

// RightsRequestID names a request of a subject about their data: a UUIDv7.
type RightsRequestID [16]byte

// ParseRightsRequestID reads the canonical 36-character form.
func ParseRightsRequestID(s string) (RightsRequestID, error) {
	id, err := parseUUID(s)
	return RightsRequestID(id), err
}

// String gives the canonical lower-case form.
func (id RightsRequestID) String() string { return formatUUID(id) }

// IsZero reports whether the id was never set.
func (id RightsRequestID) IsZero() bool { return id == RightsRequestID{} }

// MarshalText implements encoding.TextMarshaler.
func (id RightsRequestID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *RightsRequestID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseRightsRequestID(string(text))
	return err
}

// RequestType is the right that a request makes use of.
type RequestType string

// The types of requests.
const (
	RequestAccess        RequestType = "access"
	RequestPortability   RequestType = "portability"
	RequestRectification RequestType = "rectification"
	RequestErasure       RequestType = "erasure"
	RequestRestriction   RequestType = "restriction"
	RequestObjection     RequestType = "objection"
	RequestWithdrawal    RequestType = "withdrawal" // of all consents
)

// RequestTypes lists them all.
func RequestTypes() []RequestType {
	return []RequestType{RequestAccess, RequestPortability, RequestRectification, RequestErasure, RequestRestriction, RequestObjection, RequestWithdrawal}
}

// Valid reports whether the type is of the closed list.
func (t RequestType) Valid() bool { return slices.Contains(RequestTypes(), t) }

// RequestState says how far a request has come.
type RequestState string

// The states of a request.
const (
	RequestVerifying  RequestState = "verifying" // it is not yet known that the subject asks
	RequestInProgress RequestState = "in_progress"
	RequestAwaiting   RequestState = "awaiting_processors" // all is done here, and not yet confirmed by everybody who was told
	RequestCompleted  RequestState = "completed"
	RequestRejected   RequestState = "rejected"
	RequestExpired    RequestState = "expired" // nobody proved in time that the subject asks
)

// Closed reports whether nothing follows the state any more.
func (s RequestState) Closed() bool {
	return s == RequestCompleted || s == RequestRejected || s == RequestExpired
}

// Lodger says in what capacity somebody brought a request.
type Lodger string

// Who can bring a request.
const (
	LodgedBySubject Lodger = "subject" // with a token of their own
	LodgedByAgent   Lodger = "agent"   // on their behalf
	LodgedByForm    Lodger = "form"    // anybody, by an identifier
)

// Identification says what showed that the subject asks.
type Identification string

// What can show it.
const (
	NotIdentified     Identification = ""
	IdentifiedByToken Identification = "token" // their own
	IdentifiedByCode  Identification = "code"  // sent to where the vault knows they can be reached
	IdentifiedByAgent Identification = "agent" // who saw a proof
	IdentifiedByLaw   Identification = "law"   // which asks for no proof (11 CCR 7026(d))
)
