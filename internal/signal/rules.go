package signal

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/privacy"
)

// Rules say what signals mean, as a policy revision has them in its data under signals
// (schemas/signals.schema.json).
type Rules struct {
	GPC []Flag                       `json:"gpc"` // what Global Privacy Control sets
	GPP map[string]map[string][]Flag `json:"gpp"` // what a value of a field of a US section sets: {"SaleOptOut": {"1": […]}}
	TCF TCFRules                     `json:"tcf"`
}

// TCFRules say when a TC string counts, and what it consents to in our purposes.
type TCFRules struct {
	Regimes             []privacy.Regime                   `json:"regimes"`               // the laws under which it counts
	ServiceSpecific     bool                               `json:"service_specific"`      // global scope ended in 2021: a string of it is not valid
	DisclosedFrom       int                                `json:"disclosed_from_policy"` // from this policy version on, a string without disclosed vendors is not valid; 0: never
	Vendor              int                                `json:"vendor"`                // our id in the Global Vendor List, which must be consented to; 0: we are the publisher alone
	Segment             string                             `json:"segment"`               // where our consents are: core or publisher
	Months              int                                `json:"months"`                // how long a consent lasts from the string's last update; 0: as long as the purpose says
	PurposeOneNotNeeded []string                           `json:"purpose_one_not_needed_in"`
	Purposes            map[privacy.PurposeName]TCFPurpose `json:"purposes"`
}

// TCFPurpose is what consent to one of our purposes takes: consent to all of these.
type TCFPurpose struct {
	Consents        []int `json:"consents"`
	SpecialFeatures []int `json:"special_features"`
}

// Flag is something a signal sets on a subject.
type Flag string

// The flags, named after the fields of a subject's state that they set.
const (
	FlagOptOut         Flag = "opt_out_signal"
	FlagLimitSensitive Flag = "limit_sensitive"
)

const (
	segmentCore      = "core"
	segmentOwn       = "publisher"
	lastTCFPurpose   = 24
	lastFeature      = 12
	longestMonths    = 120
	lastRuleFieldVal = 2
)

// ParseRules reads the rules of a revision and checks them. A rule that nothing can meet, such as one for a field that no section
// has, is refused: whoever wrote it meant something else.
func ParseRules(document []byte) (Rules, error) {
	var r Rules
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Rules{}, errRules
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Rules{}, errRules
	}
	if !validFlags(r.GPC) || !r.validGPP() || !r.TCF.valid() {
		return Rules{}, errRules
	}
	return r, nil
}

var errRules = privacy.Invalid("invalid_signals", "the policy's data on signals is not as signals.schema.json asks")

func validFlags(flags []Flag) bool {
	for _, flag := range flags {
		if flag != FlagOptOut && flag != FlagLimitSensitive {
			return false
		}
	}
	return len(flags) > 0
}

func (r *Rules) validGPP() bool {
	for field, values := range r.GPP {
		if !knownField(field) {
			return false
		}
		for text, flags := range values {
			if value, err := strconv.Atoi(text); err != nil || value < 0 || value > lastRuleFieldVal || strconv.Itoa(value) != text || !validFlags(flags) {
				return false
			}
		}
	}
	return true
}

func knownField(name string) bool {
	if name == fieldGpc || name == fieldSaleUSP {
		return true
	}
	for _, layout := range usLayouts {
		if slices.ContainsFunc(layout.fields, func(f usField) bool { return f.name == name }) {
			return true
		}
	}
	return false
}

func (r *TCFRules) valid() bool {
	if r.Segment != segmentCore && r.Segment != segmentOwn {
		return false
	}
	if r.Vendor < 0 || r.Vendor > maxVendorID || r.DisclosedFrom < 0 || r.Months < 0 || r.Months > longestMonths {
		return false
	}
	// Vendors rely on what the core says of them, and not on the publisher's segment.
	if r.Segment == segmentOwn && r.Vendor != 0 {
		return false
	}
	for _, purpose := range r.Purposes {
		if len(purpose.Consents) == 0 || !within(purpose.Consents, lastTCFPurpose) || !within(purpose.SpecialFeatures, lastFeature) {
			return false
		}
	}
	return true
}

func within(ids []int, last int) bool {
	return !slices.ContainsFunc(ids, func(id int) bool { return id < 1 || id > last })
}
