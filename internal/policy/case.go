package policy

import (
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Case is a question and what the officer expects of the answer. What its subject and consent leave out is
// an adult who has not been asked; what permitted and withheld leave out is not looked at.
type Case struct {
	Name      string                                   `json:"name"`
	Law       string                                   `json:"law,omitempty"`  // the article that says so
	Note      string                                   `json:"note,omitempty"` // why it matters
	Input     CaseInput                                `json:"input"`
	Subject   CaseSubject                              `json:"subject,omitzero"`
	Consent   CaseConsent                              `json:"consent,omitzero"`
	Permitted map[privacy.AttributeName]privacy.Mode   `json:"permitted,omitempty"`
	Withheld  map[privacy.AttributeName]privacy.Reason `json:"withheld,omitempty"`
}

// anyAnswer in place of a mode or a reason expects the attribute permitted or withheld in whatever form.
const anyAnswer = "any"

// CaseInput is who asks for what. Without roles the caller is a consumer.
type CaseInput struct {
	Client     privacy.ClientID        `json:"client"`
	Roles      []privacy.Role          `json:"roles,omitempty"`
	Purpose    privacy.PurposeName     `json:"purpose"`
	Attributes []privacy.AttributeName `json:"attributes"`
}

// CaseSubject is the policy state of the person asked about.
type CaseSubject struct {
	Regime         privacy.Regime  `json:"regime,omitempty"`
	Country        string          `json:"country,omitempty"`  // ISO 3166-1 alpha-2
	AgeBand        privacy.AgeBand `json:"age_band,omitempty"` // 18+ by default
	Restricted     bool            `json:"restricted,omitempty"`
	StorageOnly    bool            `json:"storage_only,omitempty"`
	Objected       bool            `json:"objected,omitempty"`
	OptOutSignal   bool            `json:"opt_out_signal,omitempty"`
	LimitSensitive bool            `json:"limit_sensitive,omitempty"`
	SoftOptIn      bool            `json:"soft_opt_in,omitempty"`
}

// CaseConsent is that person's consent: none, unless it says otherwise.
type CaseConsent struct {
	Status        *privacy.ConsentStatus `json:"status,omitempty"` // none by default
	NoticeVersion int                    `json:"notice_version,omitempty"`
	Explicit      bool                   `json:"explicit,omitempty"`
	SeparateFor   []privacy.ConsentScope `json:"separate_for,omitempty"`
	By            *privacy.ConsentBy     `json:"by,omitempty"` // self by default
}

// DecisionInput is the question in full.
func (c Case) DecisionInput() privacy.DecisionInput {
	s, roles := c.Subject, c.Input.Roles
	if len(roles) == 0 {
		roles = []privacy.Role{privacy.RoleConsumer}
	}
	if s.AgeBand == "" {
		s.AgeBand = privacy.AgeAdult
	}
	return privacy.DecisionInput{
		Caller:  privacy.InputCaller{Client: c.Input.Client, Roles: roles},
		Purpose: c.Input.Purpose, Attributes: c.Input.Attributes,
		Subject: privacy.SubjectState{
			Regime: s.Regime, Country: s.Country, AgeBand: s.AgeBand, Restricted: s.Restricted, StorageOnly: s.StorageOnly,
			Objected: s.Objected, OptOutSignal: s.OptOutSignal, LimitSensitive: s.LimitSensitive, SoftOptIn: s.SoftOptIn,
			Consent: c.Consent.state(),
		},
	}
}

func (c CaseConsent) state() privacy.ConsentState {
	state := privacy.ConsentState{Status: privacy.ConsentNone, NoticeVersion: c.NoticeVersion, Explicit: c.Explicit,
		SeparateFor: c.SeparateFor, By: privacy.BySelf}
	if c.Status != nil {
		state.Status = *c.Status
	}
	if c.By != nil {
		state.By = *c.By
	}
	return state
}

// differences names the attributes whose answer is not the expected one, sorted.
func (c Case) differences(got privacy.Outcome) []privacy.AttributeName {
	differ := map[privacy.AttributeName]bool{}
	for attribute, want := range c.Permitted {
		mode, ok := got.Permitted[attribute]
		if !ok || want != anyAnswer && mode != want {
			differ[attribute] = true
		}
	}
	for attribute, want := range c.Withheld {
		reason, ok := got.Withheld[attribute]
		if !ok || want != anyAnswer && reason != want {
			differ[attribute] = true
		}
	}
	return slices.Sorted(maps.Keys(differ))
}

// faults says what makes a case no test: no name, nothing expected, or an answer that no decision can give.
func (c Case) faults() []string {
	var faults []string
	if c.Name == "" {
		faults = append(faults, "give the case a name")
	}
	if len(c.Permitted)+len(c.Withheld) == 0 {
		faults = append(faults, "say which attributes are permitted or withheld")
	}
	for attribute, mode := range c.Permitted {
		if _, twice := c.Withheld[attribute]; twice || !slices.Contains(c.Input.Attributes, attribute) {
			faults = append(faults, "an attribute that is expected is asked for, and is expected to be either permitted or withheld")
		}
		if mode != anyAnswer && !mode.Releases() {
			faults = append(faults, "a permitted attribute has the mode plain, generalise, mask, tokenise or any")
		}
	}
	for attribute, reason := range c.Withheld {
		if !slices.Contains(c.Input.Attributes, attribute) {
			faults = append(faults, "an attribute that is expected is asked for, and is expected to be either permitted or withheld")
		}
		if reason != anyAnswer && !reason.Valid() {
			faults = append(faults, "a withheld attribute has one of the known reasons, or any")
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}
