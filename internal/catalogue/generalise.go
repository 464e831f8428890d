package catalogue

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/rivo/uniseg"

	"github.com/consentry/consentry/internal/privacy"
)

// hidden stands where a value gives up everything.
const hidden = "***"

// RuleKind names a way of coarsening a value.
type RuleKind string

// The rules.
const (
	RuleValue     RuleKind = "value"     // the value as it is, for values that are coarse already
	RuleAgeBand   RuleKind = "age_band"  // completed years of age between bounds: "25-34"
	RuleBands     RuleKind = "bands"     // a number between bounds: "20000-39999"
	RuleElapsed   RuleKind = "elapsed"   // days since a date between bounds: "90-179"
	RuleMonth     RuleKind = "month"     // of a date: "2014-03"
	RuleYear      RuleKind = "year"      // of a date: "2014"
	RulePrefix    RuleKind = "prefix"    // the first characters, never more than half: "100***"
	RuleCount     RuleKind = "count"     // how many entries a list or the amounts have
	RuleLargest   RuleKind = "largest"   // the name of the largest amount
	RuleAttribute RuleKind = "attribute" // another attribute's value: of a city its province
	RuleMember    RuleKind = "member"    // whether a list has a member: "yes" or "no"
)

// Rule says how a value is made coarser. Which of the other fields count depends on Rule.
type Rule struct {
	Rule      RuleKind              `json:"rule"`
	Bounds    []int64               `json:"bounds,omitempty"` // rising; a value equal to a bound is above it
	Labels    []string              `json:"labels,omitempty"` // one more than bounds; made from the bounds when absent
	Keep      int                   `json:"keep,omitempty"`   // characters (graphemes) of a prefix
	Attribute privacy.AttributeName `json:"attribute,omitempty"`
	Member    string                `json:"member,omitempty"`
}

// Generalised gives the coarser form of a value, to be rendered as a string
// ([AppendString]). Ages and elapsed days are counted at now, in UTC. Without a
// rule, and for a value the rule cannot read, it is "***". An attribute whose
// general form is another attribute's value ([Attribute.GeneraliseFrom]) is a
// KindInternal error: there is nothing in this value to work from.
func (a *Attribute) Generalised(c privacy.Cleartext, now time.Time) (privacy.Cleartext, error) {
	if a.Generalise == nil {
		return privacy.NewCleartext(hidden), nil
	}
	if a.Generalise.Rule == RuleAttribute {
		return privacy.Cleartext{}, privacy.Internal(nil, "generalise "+string(a.Name)+": its general form is another attribute")
	}
	out, ok := a.Generalise.apply(c, now)
	if !ok {
		return privacy.NewCleartext(hidden), nil
	}
	return out, nil
}

// GeneraliseFrom names the attribute whose value is the general form of this one, as
// the province is of the city; false when the form is made from the value itself.
func (a *Attribute) GeneraliseFrom() (privacy.AttributeName, bool) {
	if a.Generalise == nil || a.Generalise.Rule != RuleAttribute {
		return "", false
	}
	return a.Generalise.Attribute, true
}

// apply gives the coarser form, false when the rule cannot read the value.
func (r *Rule) apply(c privacy.Cleartext, now time.Time) (out privacy.Cleartext, ok bool) {
	out, _ = c.Map(func(text string) (coarse string, _ error) {
		coarse, ok = r.coarsen(text, now.UTC())
		return coarse, nil
	})
	return out, ok
}

func (r *Rule) coarsen(text string, now time.Time) (string, bool) {
	switch r.Rule {
	case RuleValue:
		return text, true
	case RuleAgeBand:
		born, ok := birthday(text)
		if !ok {
			return "", false
		}
		return r.band(int64(completedYears(born, now))), true
	case RuleBands:
		n, ok := floor(text)
		if !ok {
			return "", false
		}
		return r.band(n), true
	case RuleElapsed:
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return "", false
		}
		return r.band(int64(now.Sub(day) / (24 * time.Hour))), true
	case RuleMonth, RuleYear:
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return "", false
		}
		if r.Rule == RuleYear {
			return day.Format("2006"), true
		}
		return day.Format("2006-01"), true
	case RulePrefix:
		return prefix(text, r.Keep), true
	case RuleCount:
		return count(text)
	case RuleLargest:
		return largest(text)
	case RuleMember:
		return member(text, r.Member)
	default:
		return "", false
	}
}

// band names the interval a number falls into.
func (r *Rule) band(n int64) string {
	at := 0
	for at < len(r.Bounds) && n >= r.Bounds[at] {
		at++
	}
	return r.label(at)
}

// label names an interval by its place.
func (r *Rule) label(at int) string {
	if len(r.Labels) > 0 {
		return r.Labels[at]
	}
	switch at {
	case 0:
		return "under " + strconv.FormatInt(r.Bounds[0], 10)
	case len(r.Bounds):
		return strconv.FormatInt(r.Bounds[at-1], 10) + "+"
	default:
		low, high := r.Bounds[at-1], r.Bounds[at]-1
		if low == high {
			return strconv.FormatInt(low, 10)
		}
		return strconv.FormatInt(low, 10) + "-" + strconv.FormatInt(high, 10)
	}
}

func completedYears(born, now time.Time) int {
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	return years
}

// floor reads the whole part of a canonical number, towards minus infinity, so that
// -0.50 is not in the band that starts at 0.
func floor(text string) (int64, bool) {
	if !isJSONNumber(text) {
		return 0, false
	}
	rat, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	whole := new(big.Int).Div(rat.Num(), rat.Denom()) // Euclidean, the denominator is positive
	return whole.Int64(), whole.IsInt64()
}

// prefix keeps the first characters, at most half of them, and says that more follow.
func prefix(text string, keep int) string {
	kept := min(keep, uniseg.GraphemeClusterCount(text)/2)
	rest, state := text, -1
	for range kept {
		_, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
	}
	return text[:len(text)-len(rest)] + hidden
}

func count(text string) (string, bool) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) == nil {
		return strconv.Itoa(len(list)), true
	}
	var amounts map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &amounts) == nil {
		return strconv.Itoa(len(amounts)), true
	}
	return "", false
}

// member says whether a list has a member.
func member(text, wanted string) (string, bool) {
	var list []string
	if json.Unmarshal([]byte(text), &list) != nil {
		return "", false
	}
	if slices.Contains(list, wanted) {
		return memberYes, true
	}
	return memberNo, true
}

const memberYes, memberNo = "yes", "no"

// largest names the largest amount, the first by name of several; none when all are zero or less.
func largest(text string) (string, bool) {
	var amounts map[string]float64
	if json.Unmarshal([]byte(text), &amounts) != nil {
		return "", false
	}
	name, most := "", 0.0
	for key, amount := range amounts {
		if amount > most || amount == most && name != "" && key < name {
			name, most = key, amount
		}
	}
	return name, name != ""
}
