// Package receipt makes and verifies consent receipts: what somebody is given to keep of a decision about
// their data, so that they can prove it without asking whoever holds the data.
//
// The payload follows the Kantara Consent Receipt Specification 1.1 and carries, under iso27560, the fields of
// ISO/IEC TS 27560 with the terms of the W3C Data Privacy Vocabulary, as its guide for that standard maps them. It is
// signed as a compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037), by a key that is named by its
// thumbprint (RFC 7638); a JWK set of the public keys is all it takes to verify one offline.
//
// A receipt names its subject by pseudonym and holds nothing else about them: no identifier, no value, not even the
// law that applies to them. The jurisdiction is the controller's.
//
// Everything here is pure. Who holds the key signs; see [SigningInput].
package receipt

import (
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Receipt is the payload: a Kantara consent receipt for one service and one purpose.
type Receipt struct {
	Version          string       `json:"version"` // KI-CR-v1.1.0
	Jurisdiction     string       `json:"jurisdiction"`
	ConsentTimestamp int64        `json:"consentTimestamp"` // seconds since 1970
	CollectionMethod string       `json:"collectionMethod"`
	ConsentReceiptID string       `json:"consentReceiptID"` // the record's id
	Language         string       `json:"language,omitempty"`
	PIIPrincipalID   string       `json:"piiPrincipalId"`
	PIIControllers   []Controller `json:"piiControllers"`
	PolicyURL        string       `json:"policyUrl"`
	Services         []Service    `json:"services"`
	Sensitive        bool         `json:"sensitive"`
	SPICat           []string     `json:"spiCat"` // the sensitive attributes
	Record           Record       `json:"iso27560"`
}

// Controller is Kantara's PII controller.
type Controller struct {
	PIIController    string  `json:"piiController"`
	Contact          string  `json:"contact"`
	Address          Address `json:"address"`
	Email            string  `json:"email"`
	Phone            string  `json:"phone"`
	PIIControllerURL string  `json:"piiControllerUrl,omitempty"`
}

// Address is a schema.org PostalAddress.
type Address struct {
	StreetAddress  string `json:"streetAddress"`
	AddressCountry string `json:"addressCountry"`
}

// Service is what the subject signed up for.
type Service struct {
	Service  string    `json:"service"`
	Purposes []Purpose `json:"purposes"`
}

// Purpose is Kantara's purpose.
type Purpose struct {
	Purpose              string   `json:"purpose"`
	ConsentType          string   `json:"consentType"` // EXPLICIT, or how it was expressed
	PurposeCategory      []string `json:"purposeCategory"`
	PIICategory          []string `json:"piiCategory"`
	PrimaryPurpose       bool     `json:"primaryPurpose"`
	Termination          string   `json:"termination"`
	ThirdPartyDisclosure bool     `json:"thirdPartyDisclosure"`
	ThirdPartyName       string   `json:"thirdPartyName,omitempty"` // of all of them, when there are any
}

// Terms are what a receipt says of a purpose: the same for everybody, for as long as a policy revision is in force.
type Terms struct {
	Purpose      privacy.PurposeName
	Titles       map[string]string // by BCP 47 tag, "en" always
	DPV          string            // the term it maps to, an IRI
	Category     string
	PII          []string // categories of the attributes that it may use
	Sensitive    []string // the sensitive ones among them, by name
	Profiling    bool
	Automated    bool
	ThirdParties []string // recipients that are third parties, by name
	Locations    []string // countries of all recipients abroad, ISO 3166-1 alpha-2
	Retention    string   // ISO 8601 duration; "" for as long as the consent stands
}

// Event is one record of the ledger, as far as a receipt tells it.
type Event struct {
	ID          [16]byte
	Subject     privacy.SubjectID
	Action      privacy.ConsentAction
	Pending     bool     // awaits confirmation
	Confirms    [16]byte // the record that this one confirms; zero: none
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy
	Channel     string
	Method      string
	Language    string // of the notice as shown; "" when not told
	Notice      Notice // zero: none was named
	OccurredAt  time.Time
	ExpiresAt   time.Time // zero: does not expire
}

// Notice is the text that was shown.
type Notice struct {
	ID      string `json:"id,omitempty"`
	Version int    `json:"version,omitempty"`
	Hash    string `json:"hash,omitempty"` // of the content, hex
}

const kantaraVersion = "KI-CR-v1.1.0"

// New makes out the receipt of a record.
func New(controller *privacy.Controller, terms *Terms, event *Event) Receipt {
	id, subject := privacy.SubjectID(event.ID).String(), event.Subject.String()
	return Receipt{
		Version: kantaraVersion, Jurisdiction: controller.Jurisdiction, ConsentTimestamp: max(0, event.OccurredAt.Unix()),
		CollectionMethod: event.collectionMethod(), ConsentReceiptID: id, Language: event.Language, PIIPrincipalID: subject,
		PIIControllers: []Controller{{PIIController: controller.Name, Contact: controller.Contact, Email: controller.Email, Phone: controller.Phone,
			PIIControllerURL: controller.URL, Address: Address{controller.Street, controller.Country}}},
		PolicyURL: controller.PolicyURL,
		Services: []Service{{Service: controller.Service, Purposes: []Purpose{{
			Purpose: terms.title(event.Language), ConsentType: event.consentType(), PurposeCategory: []string{terms.Category}, PIICategory: listed(terms.PII),
			Termination: event.validity(), ThirdPartyDisclosure: len(terms.ThirdParties) > 0, ThirdPartyName: terms.thirdParties()}}}},
		Sensitive: len(terms.Sensitive) > 0, SPICat: listed(terms.Sensitive),
		Record: newRecord(controller, terms, event, id, subject),
	}
}

// listed gives an empty list rather than null.
func listed(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
