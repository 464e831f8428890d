package export

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Format names the form of data.json.
const Format = "consentry.export.v1"

// Source is what a file is made of. The sequences may be read several times; of a portability those that hold nothing which the
// person provided are left out.
type Source struct {
	Head        Head
	Titles      map[privacy.AttributeName]string // of attributes, in the language of the file
	Attributes  iter.Seq2[Attribute, error]
	Identifiers iter.Seq2[Identifier, error]
	Derived     iter.Seq2[Derived, error]
	Consents    iter.Seq2[Consent, error]
	Notices     iter.Seq2[Notice, error]
	Signals     iter.Seq2[Signal, error]
	Disclosures iter.Seq2[Disclosure, error] // newest first
	Requests    iter.Seq2[Request, error]    // newest first
}

// Head says whose data it is, and who gives it.
type Head struct {
	Format     string                  `json:"format"`
	Kind       privacy.RequestType     `json:"kind"` // access or portability
	Subject    privacy.SubjectID       `json:"subject"`
	Request    privacy.RightsRequestID `json:"request"`
	MadeAt     time.Time               `json:"made_at"`
	Language   string                  `json:"language"` // BCP 47, of titles and explanations
	Controller Controller              `json:"controller"`
}

// Controller is who answers for the data.
type Controller struct {
	Name      string `json:"name"`
	Contact   string `json:"contact"`
	Email     string `json:"email"`
	PolicyURL string `json:"policy_url"`
}

// Purpose is what something is used for.
type Purpose struct {
	Name  privacy.PurposeName `json:"name"`
	Title string              `json:"title"`
}

// Attribute is one value of a profile.
type Attribute struct {
	Name           privacy.AttributeName   `json:"name"`
	Title          string                  `json:"title"`
	Category       string                  `json:"category"`
	Classification privacy.Classification  `json:"classification"`
	Value          json.RawMessage         `json:"value"`
	Source         string                  `json:"source"`
	CollectedAt    time.Time               `json:"collected_at"`
	Retention      string                  `json:"retention,omitempty"`  // ISO 8601; "" keeps until erasure
	KeptUntil      *time.Time              `json:"kept_until,omitempty"` // nil: until erasure
	Purposes       []Purpose               `json:"purposes"`
	DerivedFrom    []privacy.AttributeName `json:"derived_from,omitempty"`
	Derivation     string                  `json:"derivation,omitempty"` // in plain words
}

// Identifier finds the person.
type Identifier struct {
	Type     privacy.IdentifierType `json:"type"`
	Title    string                 `json:"title"`
	Value    string                 `json:"value"`
	Verified bool                   `json:"verified"`
	Source   string                 `json:"source"`
	AddedAt  time.Time              `json:"added_at"`
}

// Derived is a group that the person was put into by the vault itself.
type Derived struct {
	Name       string                  `json:"name"`
	Title      string                  `json:"title"`
	Value      string                  `json:"value"`
	From       []privacy.AttributeName `json:"from"`
	Derivation string                  `json:"derivation"` // in plain words
}

// NoticeRef names one version of a notice, and its content by hash.
type NoticeRef struct {
	ID      string `json:"id"`
	Version int32  `json:"version"`
	SHA256  string `json:"sha256"`
}

// Consent is one decision of the person, as it stands on the ledger.
type Consent struct {
	Seq         int32                  `json:"number"`
	ID          string                 `json:"id"`
	Purpose     Purpose                `json:"purpose"`
	Action      privacy.ConsentAction  `json:"action"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for,omitempty"`
	By          privacy.ConsentBy      `json:"by"`
	Channel     string                 `json:"channel,omitempty"`
	Method      string                 `json:"method,omitempty"`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty"`
	RecordedAt  time.Time              `json:"recorded_at"`
	RecordedBy  privacy.ClientID       `json:"recorded_by"`
	Notice      *NoticeRef             `json:"notice,omitempty"`
	Locale      string                 `json:"locale,omitempty"`
	Evidence    string                 `json:"evidence,omitempty"`
}

// Notice is a version of a notice that consents refer to, in the words that were shown.
type Notice struct {
	NoticeRef
	Controller string   `json:"controller"`
	Contact    string   `json:"contact"`
	Recipients []string `json:"recipients"`
	Language   string   `json:"language"`
	Title      string   `json:"title"`
	Text       string   `json:"text,omitempty"`
	URI        string   `json:"uri,omitempty"` // where the text is instead
}

// Signal is a privacy signal that was received for the person.
type Signal struct {
	Seq        int32                  `json:"number"`
	Kind       privacy.SignalKind     `json:"kind"`
	Value      string                 `json:"value"`
	Effects    []privacy.SignalEffect `json:"effects"`
	ReceivedAt time.Time              `json:"received_at"`
	RecordedBy privacy.ClientID       `json:"recorded_by"`
}

// Recipient is who received something.
type Recipient struct {
	Client  privacy.ClientID `json:"client"`
	Role    string           `json:"role,omitempty"` // own, processor or third_party
	Country string           `json:"country,omitempty"`
}

// Disclosure is one time that somebody asked for data about the person: what they got, in which form, when and why.
type Disclosure struct {
	ID         string                                 `json:"id"` // of the entry in the audit log
	At         time.Time                              `json:"at"`
	Recipient  Recipient                              `json:"recipient"`
	Purpose    Purpose                                `json:"purpose"`
	Attributes map[privacy.AttributeName]privacy.Mode `json:"attributes"` // that they got, where there was a value
	Withheld   []privacy.AttributeName                `json:"withheld,omitempty"`
}

// Request is something that the person has asked for.
type Request struct {
	ID         privacy.RightsRequestID `json:"id"`
	Type       privacy.RequestType     `json:"type"`
	State      privacy.RequestState    `json:"state"`
	ReceivedAt time.Time               `json:"received_at"`
	DueAt      time.Time               `json:"due_at"`
	ClosedAt   *time.Time              `json:"closed_at,omitempty"`
	Ground     string                  `json:"ground,omitempty"`  // of a refusal
	Details    []json.RawMessage       `json:"details,omitempty"` // what they said
}
