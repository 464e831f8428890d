package catalogue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// FacetRule is how an attribute feeds a facet.
type FacetRule struct {
	Name string `json:"name"`
	Rule
}

func (f *FacetRule) rule() *Rule {
	if f == nil {
		return nil
	}
	return &f.Rule
}

// FacetShownBy reports whether a value that is released in a mode shows the facet too: as it is, or in a general form that is no
// coarser.
func (a *Attribute) FacetShownBy(mode privacy.Mode) bool {
	switch mode {
	case privacy.ModePlain:
		return true
	case privacy.ModeGeneralise:
		return a.Facet != nil && a.Generalise != nil && a.Facet.noFinerThan(a.Generalise)
	default:
		return false
	}
}

// noFinerThan reports whether what one rule gives follows from what another does.
func (r *Rule) noFinerThan(other *Rule) bool {
	if r.Rule != other.Rule || r.Keep != other.Keep || r.Attribute != other.Attribute || r.Member != other.Member {
		return false
	}
	for _, bound := range r.Bounds {
		if !slices.Contains(other.Bounds, bound) {
			return false
		}
	}
	return true
}

// Facet is what segments see of people: one coarse value at most. Several attributes may feed it, and the first that is held does.
type Facet struct {
	Name    string          `json:"name"`
	Ordered bool            `json:"ordered"` // the values stand in an order
	Titles  Text            `json:"titles"`
	Named   map[string]Text `json:"values"` // values with titles

	sources []*Attribute
	values  []string // all there can be; none when people write them
}

// FacetValue is one value of a facet.
type FacetValue struct {
	Value  string
	Titles Text // empty: the value says it
}

// Sources lists the attributes that feed the facet, those that count first in front.
func (f *Facet) Sources() []*Attribute { return f.sources }

// Values lists the values that the facet can have, in order when they have one; none when they are whatever people wrote.
func (f *Facet) Values() []FacetValue {
	values := make([]FacetValue, len(f.values))
	for i, value := range f.values {
		values[i] = FacetValue{Value: value, Titles: f.Named[value]}
	}
	return values
}

// Facets lists all facets in the order of the catalogue. The slice is the caller's.
func (c *Catalogue) Facets() []*Facet { return append([]*Facet(nil), c.facets...) }

// FacetsID names the rules of all facets: facets that were made by other rules are of no use.
func (c *Catalogue) FacetsID() string { return c.facetsID }

func (c *Catalogue) addFacets(facets []*Facet) error {
	byName := make(map[string]*Facet)
	for _, f := range facets {
		if byName[f.Name] != nil {
			return invalidCatalogue("facet %s: its name is used twice", f.Name)
		}
		byName[f.Name] = f
	}
	hash := sha256.New()
	for _, a := range c.attributes {
		if a.Facet == nil {
			continue
		}
		f := byName[a.Facet.Name]
		if f == nil {
			return invalidCatalogue("attribute %s: there is no facet %s", a.Name, a.Facet.Name)
		}
		if err := f.addSource(a); err != nil {
			return err
		}
		text, err := json.Marshal(struct {
			ID   privacy.AttributeID
			Rule *FacetRule
		}{a.ID, a.Facet})
		if err != nil {
			return invalidCatalogue("facet %s: %w", f.Name, err)
		}
		hash.Write(text)
	}
	for _, f := range facets {
		if len(f.sources) == 0 {
			return invalidCatalogue("facet %s: no attribute feeds it", f.Name)
		}
	}
	c.facets, c.facetsID = facets, hex.EncodeToString(hash.Sum(nil)[:6])
	return nil
}

// addSource lets an attribute feed the facet. Attributes of one facet have to agree on its values.
func (f *Facet) addSource(a *Attribute) error {
	values, ordered := a.Facet.domain(a)
	if len(f.sources) > 0 && !sameValues(f.values, values) {
		return invalidCatalogue("attribute %s: it gives the facet %s other values than %s does", a.Name, f.Name, f.sources[0].Name)
	}
	if len(f.sources) == 0 {
		f.values = values
		for i := range a.Values {
			if a.Facet.Rule.Rule == RuleValue {
				if f.Named == nil {
					f.Named = make(map[string]Text)
				}
				f.Named[a.Values[i].Value] = a.Values[i].Titles
			}
		}
	}
	f.sources, f.Ordered = append(f.sources, a), f.Ordered && len(values) > 0 || ordered
	return nil
}

func sameValues(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// domain lists the values a rule can give, none when there is no telling; ordered says that they stand in an order.
func (f *FacetRule) domain(a *Attribute) (values []string, ordered bool) {
	switch f.Rule.Rule {
	case RuleValue:
		for i := range a.Values {
			values = append(values, a.Values[i].Value)
		}
		if a.Type == TypeBoolean {
			values = []string{"true", "false"}
		}
		return values, false
	case RuleAgeBand, RuleBands, RuleElapsed:
		for at := range len(f.Bounds) + 1 {
			values = append(values, f.label(at))
		}
		return values, true
	case RuleMember:
		return []string{memberNo, memberYes}, false
	default:
		return nil, false
	}
}

// HeldValue is a value that a subject holds, and until when; zero: until they are erased.
type HeldValue struct {
	Value privacy.Cleartext
	Until time.Time
}

// FacetStep is the value that a facet has until a time; the last step's is zero, for good. An empty value is none.
type FacetStep struct {
	Value privacy.Cleartext
	Until time.Time
}

// maxSteps bounds how often a facet can change by itself: a band has at most 33 steps, for each of a few sources.
const maxSteps = 200

// Steps gives the value of the facet from now on, given what a subject holds. It changes by itself as people grow
// older and values are no longer kept, and is worked out ahead for good, so that nobody has to open values when that time comes.
func (f *Facet) Steps(held func(privacy.AttributeID) (HeldValue, bool), now time.Time) []FacetStep {
	var steps []FacetStep
	for at := now.UTC(); len(steps) < maxSteps; {
		value, until := f.at(held, at)
		if n := len(steps); n > 0 && same(steps[n-1].Value, value) {
			steps[n-1].Until = until
		} else {
			steps = append(steps, FacetStep{Value: value, Until: until})
		}
		if until.IsZero() {
			return steps
		}
		at = until
	}
	return append(steps, FacetStep{})
}

// at gives the value at a time and when it may change.
func (f *Facet) at(held func(privacy.AttributeID) (HeldValue, bool), at time.Time) (value privacy.Cleartext, until time.Time) {
	for _, source := range f.sources {
		have, ok := held(source.ID)
		if !ok || !have.Until.IsZero() && !at.Before(have.Until) {
			continue
		}
		coarse, ok := source.Facet.apply(have.Value, at)
		if !ok {
			continue
		}
		return coarse, earlier(have.Until, source.Facet.changes(have.Value, at))
	}
	return privacy.Cleartext{}, time.Time{}
}

// changes gives the time after a moment at which the rule gives another value, zero when it never does.
func (r *Rule) changes(c privacy.Cleartext, at time.Time) (next time.Time) {
	_ = c.Borrow(func(text string) error { next = r.changesAfter(text, at); return nil }) // the callee cannot fail
	return next
}

func (r *Rule) changesAfter(text string, at time.Time) time.Time {
	var when func(bound int64) time.Time
	switch r.Rule {
	case RuleAgeBand:
		born, ok := birthday(text)
		if !ok {
			return time.Time{}
		}
		// Who was born on 29 February completes a year on 1 March of common years, as in [completedYears].
		when = func(bound int64) time.Time {
			return time.Date(born.Year()+int(bound), born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
		}
	case RuleElapsed:
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return time.Time{}
		}
		when = func(bound int64) time.Time { return day.Add(time.Duration(bound) * 24 * time.Hour) }
	default:
		return time.Time{}
	}
	for _, bound := range r.Bounds {
		if next := when(bound); next.After(at) {
			return next
		}
	}
	return time.Time{}
}

// earlier gives the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func same(a, b privacy.Cleartext) (equal bool) {
	_ = a.Borrow(func(x string) error { return b.Borrow(func(y string) error { equal = x == y; return nil }) })
	return equal
}
