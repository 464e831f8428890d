package privacy

// DecisionInput is everything a disclosure decision depends on besides the policy
// revision. It holds no attribute value and no identifier; the subject id is
// not in it either, so that subjects in the same policy state share one decision.
type DecisionInput struct {
	Caller     InputCaller     `json:"caller"`
	Purpose    PurposeName     `json:"purpose"`
	Attributes []AttributeName `json:"attributes"` // sorted, distinct
	Subject    SubjectState    `json:"subject"`
}

// InputCaller is the caller as the policy sees it.
type InputCaller struct {
	Client ClientID `json:"client"`
	Roles  []Role   `json:"roles"` // sorted, distinct
}

// SubjectState is a subject's policy state: what decides about them, and nothing that
// tells who they are. Expiry, age and the order of objection and consent are worked
// out before it is built.
type SubjectState struct {
	Regime         Regime       `json:"regime"`
	Country        string       `json:"country"` // ISO 3166-1 alpha-2, "" when unknown
	AgeBand        AgeBand      `json:"age_band"`
	Restricted     bool         `json:"restricted"`
	StorageOnly    bool         `json:"storage_only"`
	Objected       bool         `json:"objected"`
	OptOutSignal   bool         `json:"opt_out_signal"`
	LimitSensitive bool         `json:"limit_sensitive"`
	SoftOptIn      bool         `json:"soft_opt_in"`
	Consent        ConsentState `json:"consent"`
}

// ConsentState is the consent for the asked purpose as the policy sees it.
type ConsentState struct {
	Status        ConsentStatus  `json:"status"`
	NoticeVersion int            `json:"notice_version"`
	Explicit      bool           `json:"explicit"`
	SeparateFor   []ConsentScope `json:"separate_for"` // sorted, distinct, never null
	By            ConsentBy      `json:"by"`
}

// Outcome is a decision: every asked attribute is in exactly one of the two maps.
type Outcome struct {
	Permitted map[AttributeName]Mode   `json:"permitted"`
	Withheld  map[AttributeName]Reason `json:"withheld"`
}

// Regime is the law that applies to a subject.
type Regime string

// The regimes; RegimeDefault is the strictest of them, for everybody else.
const (
	RegimeGDPR     Regime = "gdpr"
	RegimeUKGDPR   Regime = "uk_gdpr"
	RegimePIPL     Regime = "pipl"
	RegimeCCPA     Regime = "ccpa"
	RegimeLGPD     Regime = "lgpd"
	RegimeAPPI     Regime = "appi"
	RegimePDPA     Regime = "pdpa"
	RegimePIPA     Regime = "pipa"
	RegimeQuebec25 Regime = "quebec25"
	RegimeDefault  Regime = "default"
)

// Regimes lists every regime.
func Regimes() []Regime {
	return []Regime{RegimeGDPR, RegimeUKGDPR, RegimePIPL, RegimeCCPA, RegimeLGPD, RegimeAPPI, RegimePDPA, RegimePIPA, RegimeQuebec25, RegimeDefault}
}
