package receipt

import (
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Record holds the fields of ISO/IEC TS 27560, under the standard's names in snake case. Terms are IRIs of the
// Data Privacy Vocabulary, shortened with its customary prefix.
type Record struct {
	SchemaVersion         string        `json:"schema_version"`
	RecordID              string        `json:"record_id"`
	ReceiptID             string        `json:"receipt_id"`
	PIIPrincipalID        string        `json:"pii_principal_id"`
	PrivacyNotice         PrivacyNotice `json:"privacy_notice"`
	Language              string        `json:"language"` // "und" when it was not told
	Purpose               string        `json:"purpose"`  // by the name it has in the policy
	PurposeType           string        `json:"purpose_type,omitempty"`
	LawfulBasis           string        `json:"lawful_basis"`
	PIIInformation        []PII         `json:"pii_information"`
	PIIControllers        []string      `json:"pii_controllers"` // ids of parties
	CollectionMethod      string        `json:"collection_method"`
	ProcessingMethod      []string      `json:"processing_method"`
	StorageLocations      []string      `json:"storage_locations"`
	RetentionPeriod       string        `json:"retention_period"`
	ProcessingLocation    []string      `json:"processing_location"`
	Service               string        `json:"service"`
	Jurisdiction          string        `json:"jurisdiction"`
	RecipientThirdParties []string      `json:"recipient_third_parties"`
	WithdrawalMethod      string        `json:"withdrawal_method"` // where it is said how
	PrivacyRights         string        `json:"privacy_rights"`    // where they are said
	Parties               []Party       `json:"parties"`
	Event                 RecordEvent   `json:"event"`
}

// PrivacyNotice says what was shown: a version of a notice, or just the policy.
type PrivacyNotice struct {
	Type string `json:"type"`
	URL  string `json:"url"`
	Notice
}

// PII is a category of personal data.
type PII struct {
	Type     string   `json:"pii_type"`
	Optional bool     `json:"pii_optional"` // always: who does not consent loses nothing else
	Special  []string `json:"sensitive_pii_category,omitempty"`
}

// Party is somebody with a role.
type Party struct {
	ID      string `json:"party_id"`
	Role    string `json:"party_role"`
	Type    string `json:"party_type"`
	Name    string `json:"party_name"`
	Address string `json:"party_address"`
	Email   string `json:"party_email,omitempty"`
	URL     string `json:"party_url,omitempty"`
	Phone   string `json:"party_phone,omitempty"`
	Contact string `json:"party_contact"`
}

// RecordEvent is what was decided, when, by whom.
type RecordEvent struct {
	Time             time.Time              `json:"event_time"`
	ValidityDuration string                 `json:"validity_duration"`
	EntityID         string                 `json:"entity_id"`
	Type             string                 `json:"event_type"`
	State            string                 `json:"event_state"`
	GivenBy          privacy.ConsentBy      `json:"given_by"`
	SeparateFor      []privacy.ConsentScope `json:"separate_for,omitempty"`
	Confirms         string                 `json:"confirms,omitempty"` // the record that awaited this confirmation
}

const (
	recordSchema = "https://w3id.org/dpv/schema/dpv-27560#receipt"
	controllerID = "controller"
)

func newRecord(controller *privacy.Controller, terms *Terms, event *Event, id, subject string) Record {
	return Record{
		SchemaVersion: recordSchema, RecordID: id, ReceiptID: id, PIIPrincipalID: subject,
		PrivacyNotice: event.notice(controller), Language: event.language(), Purpose: string(terms.Purpose), PurposeType: terms.DPV, LawfulBasis: event.kind(),
		PIIInformation: terms.information(), PIIControllers: []string{controllerID}, CollectionMethod: event.collectionMethod(), ProcessingMethod: terms.processing(),
		StorageLocations: []string{controller.Country}, RetentionPeriod: terms.retention(), ProcessingLocation: append([]string{controller.Country}, terms.Locations...),
		Service: controller.Service, Jurisdiction: controller.Jurisdiction, RecipientThirdParties: listed(terms.ThirdParties),
		WithdrawalMethod: controller.PolicyURL, PrivacyRights: controller.PolicyURL,
		Parties: []Party{{ID: controllerID, Role: "dpv:DataController", Type: "dpv:LegalEntity", Name: controller.Name,
			Address: controller.Street + ", " + controller.Country, Email: controller.Email, URL: controller.URL, Phone: controller.Phone, Contact: controller.Contact}},
		Event: RecordEvent{Time: event.OccurredAt.UTC(), ValidityDuration: event.validity(), EntityID: event.entity(subject), Type: event.kind(), State: event.state(),
			GivenBy: event.By, SeparateFor: event.SeparateFor, Confirms: event.confirms()},
	}
}

// title gives the purpose's title in a language, else in English.
func (t *Terms) title(language string) string {
	primary, _, _ := strings.Cut(language, "-")
	for _, tag := range []string{language, primary, "en"} {
		if title, ok := t.Titles[tag]; ok {
			return title
		}
	}
	return string(t.Purpose)
}

func (t *Terms) thirdParties() string { return strings.Join(t.ThirdParties, "; ") }

func (t *Terms) retention() string {
	if t.Retention == "" {
		return untilWithdrawn
	}
	return t.Retention
}

func (t *Terms) information() []PII {
	information := make([]PII, 0, len(t.PII)+1)
	for _, category := range t.PII {
		information = append(information, PII{Type: category, Optional: true})
	}
	if len(t.Sensitive) > 0 {
		information = append(information, PII{Type: "dpv:SensitivePersonalData", Optional: true, Special: t.Sensitive})
	}
	return information
}

func (t *Terms) processing() []string {
	methods := []string{"dpv:Store", "dpv:Use"}
	if t.Profiling {
		methods = append(methods, "dpv:Profiling")
	}
	if t.Automated {
		methods = append(methods, "dpv:AutomatedDecisionMaking")
	}
	if len(t.ThirdParties) > 0 {
		methods = append(methods, "dpv:Share")
	}
	return methods
}
