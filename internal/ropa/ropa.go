// Package ropa holds the record of processing activities that a controller keeps (GDPR Art. 30(1), UK GDPR the same) and hands to an
// authority that asks, with the impact assessments that PIPL Art. 55 calls for, whose record Art. 56 has kept for three
// years. It is made of the policy and the notices that were in force at a time, so it says what was done, not what
// somebody meant to write down about it.
//
// The package is the document and its three forms: JSON, CSV for spreadsheets, and a page to print.
package ropa

import (
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Record is the record of processing activities as it stood at a time.
type Record struct {
	At          time.Time          `json:"at" doc:"The moment that the record is about."`
	GeneratedAt time.Time          `json:"generated_at"`
	Revision    privacy.RevisionID `json:"revision" doc:"The policy revision that was in force."`
	PublishedAt time.Time          `json:"published_at" doc:"Since when it was."`
	Controller  RecordController   `json:"controller" doc:"As it is set now."`
	Security    []string           `json:"security_measures" doc:"GDPR Art. 30(1)(g), 32(1)."`
	Activities  []Activity         `json:"activities" doc:"One for each purpose."`
}

// RecordController is who answers for the processing.
type RecordController struct {
	Name    string `json:"name"`
	Contact string `json:"contact" doc:"The representative or data protection officer, or the office to write to."`
	Address string `json:"address"`
	Country string `json:"country"`
	Email   string `json:"email"`
	Phone   string `json:"phone"`
	URL     string `json:"url,omitempty"`
	Policy  string `json:"privacy_policy"`
}

// Activity is the processing for one purpose.
type Activity struct {
	Purpose      privacy.PurposeName `json:"purpose"`
	Titles       map[string]string   `json:"titles" doc:"By language."`
	Descriptions map[string]string   `json:"descriptions,omitempty" doc:"By language."`
	DPV          string              `json:"dpv" doc:"The term of the W3C Data Privacy Vocabulary."`
	Category     string              `json:"category"`
	Bases        []LegalBasis        `json:"legal_bases"`
	Subjects     []string            `json:"categories_of_subjects"`
	Data         []DataItem          `json:"personal_data"`
	Recipients   []DataRecipient     `json:"recipients"`
	Transfers    []DataTransfer      `json:"transfers" doc:"To other countries, with the safeguard that each rests on."`
	Retention    string              `json:"retention,omitempty" doc:"How long data is kept for the purpose at most, as an ISO 8601 period; each attribute has its own, too."`
	Lifetime     string              `json:"consent_lifetime,omitempty"`
	Notice       *NoticeInForce      `json:"notice,omitempty" doc:"What subjects are told."`
	Marketing    bool                `json:"marketing"`
	Profiling    bool                `json:"profiling"`
	Automated    bool                `json:"automated_decisions"`
	Assessment   Assessment          `json:"pipl_impact_assessment"`
}

// LegalBasis is what the processing rests on under a law.
type LegalBasis struct {
	Regime privacy.Regime `json:"regime"`
	Law    string         `json:"law"`
	Basis  string         `json:"basis"`
}

// DataItem is one attribute, and the form in which it is let out for the purpose.
type DataItem struct {
	Attribute      privacy.AttributeName  `json:"attribute"`
	Title          string                 `json:"title"`
	Category       string                 `json:"category"`
	Classification privacy.Classification `json:"classification"`
	Mode           privacy.Mode           `json:"mode"`
	Retention      string                 `json:"retention,omitempty" doc:"From collection, as an ISO 8601 period; until erasure when left out."`
}

// DataRecipient is who gets the data.
type DataRecipient struct {
	Name      string           `json:"name"`
	Client    privacy.ClientID `json:"client,omitempty" doc:"The application that asks for it."`
	Kind      string           `json:"kind" enum:"own,processor,third_party"`
	Country   string           `json:"country,omitempty" doc:"local: where the subject is."`
	Mechanism string           `json:"mechanism,omitempty"`
	Agreement string           `json:"agreement,omitempty" doc:"The contract with a processor (GDPR Art. 28)."`
}

// DataTransfer is a country that data goes to.
type DataTransfer struct {
	Country   string `json:"country"`
	Recipient string `json:"recipient,omitempty"`
	Safeguard string `json:"safeguard,omitempty" doc:"Empty where an adequacy decision or an exemption has to carry it."`
}

// NoticeInForce is the version of the notice that held.
type NoticeInForce struct {
	ID        string    `json:"id"`
	Version   int32     `json:"version"`
	SHA256    string    `json:"sha256"`
	ValidFrom time.Time `json:"valid_from"`
}

// Assessment says whether PIPL Art. 55 calls for an impact assessment, and why.
type Assessment struct {
	Required bool     `json:"required"`
	Grounds  []string `json:"grounds,omitempty" enum:"sensitive,automated,third_party,cross_border"`
}

// The grounds of PIPL Art. 55.
const (
	GroundSensitive   = "sensitive"    // (1)
	GroundAutomated   = "automated"    // (2)
	GroundThirdParty  = "third_party"  // (3): entrusted, provided to others, or disclosed
	GroundCrossBorder = "cross_border" // (4)
)

// Assess works the assessment out from the rest.
func (a *Activity) Assess() {
	add := func(ground string, holds bool) {
		if holds {
			a.Assessment.Grounds = append(a.Assessment.Grounds, ground)
		}
	}
	a.Assessment = Assessment{}
	sensitive, others := false, false
	for _, item := range a.Data {
		sensitive = sensitive || item.Classification == privacy.ClassSensitive
	}
	for _, recipient := range a.Recipients {
		others = others || recipient.Kind != "own"
	}
	add(GroundSensitive, sensitive)
	add(GroundAutomated, a.Automated || a.Profiling)
	add(GroundThirdParty, others)
	add(GroundCrossBorder, len(a.Transfers) > 0)
	a.Assessment.Required = len(a.Assessment.Grounds) > 0
}

// SecurityMeasures is what the vault itself does for the security of processing (GDPR Art. 32(1), PIPL Art. 51).
func SecurityMeasures() []string {
	return []string{
		"Every field is sealed by itself with AES-256-GCM under a key of its own subject; identifiers are found by keyed hashes.",
		"Keys are kept in HashiCorp Vault, apart from the data; erasing a subject's key erases the data in every backup.",
		"Every release is decided on purpose, consent and law when it is asked for; a withdrawal holds as soon as the call has returned.",
		"Values are let out in the weakest form that the purpose needs: generalised, masked or tokenised.",
		"Every decision and every change is on record in a signed, append-only log before anything is released.",
		"Policies are changed by two people; roles decide who may call what; database users have the least rights they need.",
		"Logs, errors and traces hold no personal data.",
	}
}
