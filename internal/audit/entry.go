package audit

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// Action says what was done. The names are part of the record: add, but never rename.
type Action string

// The actions.
const (
	ActionDisclosure       Action = "disclosure"
	ActionSubjectCreate    Action = "subject.create"
	ActionSubjectLookup    Action = "subject.lookup"
	ActionAttributesUpdate Action = "attributes.update"
	ActionConsentGrant     Action = "consent.grant"
	ActionConsentDeny      Action = "consent.deny"
	ActionConsentWithdraw  Action = "consent.withdraw"
	ActionConsentObject    Action = "consent.object"
	ActionConsentLift      Action = "consent.lift"

	ActionConsentRestrict   Action = "consent.restrict"
	ActionConsentUnrestrict Action = "consent.unrestrict"

	ActionConfirmRefused  Action = "confirmation.refuse" // of a wrong secret
	ActionMessageSend     Action = "message.send"        // before each attempt
	ActionReceiptIssue    Action = "receipt.issue"       // afterwards; the receipt of a record is otherwise part of it
	ActionSignalReceive   Action = "signal.receive"
	ActionConsentRebuild  Action = "consent.rebuild" // the state of a subject, from their ledger
	ActionEvidenceOpen    Action = "evidence.open"   // of a consent
	ActionProofIssue      Action = "proof.issue"     // of a subject's consents; the object is the hash of their last record
	ActionNoticeWrite     Action = "notice.write"
	ActionNoticePublish   Action = "notice.publish"
	ActionDecisionExplain Action = "decision.explain"
	ActionRevisionPublish Action = "revision.publish" // the built-in policy, by the service itself
)

// The actions of segments. What was told of groups names its release as the object.
const (
	ActionSegmentWrite    Action = "segment.write"
	ActionSegmentRelease  Action = "segment.release"
	ActionSegmentActivate Action = "segment.activate"
)

// The actions of the life of a policy. Their entries name the draft or the revision as the object.
const (
	ActionDraftCreate    Action = "policy.draft.create"
	ActionDraftEdit      Action = "policy.draft.edit"
	ActionDraftRebase    Action = "policy.draft.rebase"
	ActionDraftTest      Action = "policy.draft.test"
	ActionDraftSubmit    Action = "policy.draft.submit"
	ActionDraftApprove   Action = "policy.draft.approve"
	ActionDraftReject    Action = "policy.draft.reject"
	ActionDraftAbandon   Action = "policy.draft.abandon"
	ActionPolicyPreview  Action = "policy.preview"
	ActionPolicyPublish  Action = "policy.publish"
	ActionPolicyRollback Action = "policy.rollback"
)

// BatchID names the group commit an entry was written in. It is a UUIDv7, so that batches
// sort by about when they were written.
type BatchID [16]byte

// String gives the canonical lower-case form of the UUID.
func (id BatchID) String() string { return privacy.SubjectID(id).String() }

// EntryName names an entry for good: its batch and its position in it, counted from zero. The
// text form is "<uuid>.<position>".
type EntryName struct {
	BatchID BatchID
	ID      int32
}

// ParseEntryName reads the text form, in its one canonical spelling.
func ParseEntryName(text string) (EntryName, error) {
	batch, position, _ := strings.Cut(text, ".")
	id, idErr := strconv.ParseInt(position, 10, 32)
	uuid, uuidErr := privacy.ParseSubjectID(batch)
	name := EntryName{BatchID: BatchID(uuid), ID: int32(id)}
	if idErr != nil || uuidErr != nil || id < 0 || name.String() != text {
		return EntryName{}, privacy.Invalid("invalid_entry_name", "an audit entry is named by a UUID, a dot and a number")
	}
	return name, nil
}

// String gives the text form.
func (n EntryName) String() string {
	return n.BatchID.String() + "." + strconv.FormatInt(int64(n.ID), 10)
}

// IsZero reports whether the name was never set.
func (n EntryName) IsZero() bool { return n == EntryName{} }

// MarshalText implements encoding.TextMarshaler.
func (n EntryName) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *EntryName) UnmarshalText(text []byte) (err error) {
	*n, err = ParseEntryName(string(text))
	return err
}

// Draft is what an entry says, before it has a name. Never put personal data in it: no
// value, no identifier, no address, and no text that a caller made up. Names of
// purposes and attributes are those of the catalogue.
type Draft struct {
	At         time.Time               `json:"at"` // UTC, whole microseconds
	Action     Action                  `json:"action"`
	Client     privacy.ClientID        `json:"client,omitempty"`
	Roles      []privacy.Role          `json:"roles,omitempty"` // sorted, distinct
	RequestID  privacy.RequestID       `json:"request_id,omitempty"`
	Subject    privacy.SubjectID       `json:"subject,omitzero"` // zero: about nobody in particular
	Purpose    privacy.PurposeName     `json:"purpose,omitempty"`
	Decision   Hash                    `json:"decision,omitzero"`    // zero: nothing was decided
	Attributes []privacy.AttributeName `json:"attributes,omitempty"` // written ones; sorted, distinct
	// Object is what was acted on when it is no subject, as a word and an id of this service's own making,
	// "revision/<hash>" for instance, or "draft/<id>@<hash>" when the content matters.
	Object string `json:"object,omitempty"`
	// Actor tells the people apart who work through one client; set where it matters that two were involved.
	Actor privacy.ActorID `json:"actor,omitempty"`
	// Orders says as of which order about the subject a disclosure was decided. It is for the commit, and no part of the entry.
	Orders int32 `json:"-"`
}

// Entry is one row of the audit table.
type Entry struct {
	Name EntryName `json:"name"`
	Draft
}

// The bounds of an entry, wide enough for any real one.
const (
	maxText = 256   // bytes in a name
	maxList = 4_096 // names in a list
)

// normalised gives the draft in the form in which it is recorded: in UTC and whole microseconds, which
// is what PostgreSQL keeps, and with its lists as sets. A draft without a time gets now. Nothing is
// shared with the original.
func (d Draft) normalised(now time.Time) Draft {
	if d.At.IsZero() {
		d.At = now
	}
	d.At = d.At.UTC().Truncate(time.Microsecond)
	d.Roles = sorted(d.Roles)
	d.Attributes = sorted(d.Attributes)
	return d
}

func sorted[S ~string](names []S) []S {
	if len(names) == 0 {
		return nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// Validate reports whether the draft is in the form in which it can be recorded and exported
// without loss. The error names the field and never its content.
func (d Draft) Validate() error {
	if d.At.Year() < 1 || d.At.Year() > 9999 || d.At.Nanosecond()%1_000 != 0 {
		return malformed("at")
	}
	if d.Action == "" {
		return malformed("action")
	}
	fields := []struct{ name, text string }{
		{"action", string(d.Action)}, {"client", string(d.Client)},
		{"request_id", string(d.RequestID)}, {"purpose", string(d.Purpose)},
		{"object", d.Object}, {"actor", string(d.Actor)},
	}
	for _, f := range fields {
		if !isName(f.text) {
			return malformed(f.name)
		}
	}
	if !isSet(d.Roles) {
		return malformed("roles")
	}
	if !isSet(d.Attributes) {
		return malformed("attributes")
	}
	return nil
}

// Validate is [Draft.Validate] for an entry that has its name.
func (e Entry) Validate() error {
	if e.Name.BatchID == (BatchID{}) || e.Name.ID < 0 {
		return malformed("name")
	}
	return e.Draft.Validate()
}

// isName reports whether the text survives a text column and a JSON file unchanged.
func isName(text string) bool {
	return len(text) <= maxText && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

func isSet[S ~string](names []S) bool {
	if len(names) > maxList {
		return false
	}
	for i, name := range names {
		// No commas: the names of a list travel to the database in one text.
		if name == "" || !isName(string(name)) || strings.Contains(string(name), ",") || i > 0 && names[i-1] >= name {
			return false
		}
	}
	return true
}

func malformed(field string) error {
	return privacy.Internal(nil, "record an audit entry: malformed "+field)
}
