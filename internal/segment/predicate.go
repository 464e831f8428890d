package segment

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// Operator says what a predicate does.
type Operator string

// The operators. The first three combine predicates, the others look at one facet.
const (
	OpAll     Operator = "all"     // every one holds
	OpAny     Operator = "any"     // at least one holds
	OpNot     Operator = "not"     // the one does not hold
	OpIn      Operator = "in"      // the value is one of several
	OpEq      Operator = "eq"      // the value is this one
	OpBetween Operator = "between" // the value lies between two of an ordered facet, both included
	OpExists  Operator = "exists"  // there is a value
)

// Predicate describes people by their facets. In JSON it is one of
//
//	{"all": […]}  {"any": […]}  {"not": {…}}
//	{"facet": "city", "eq": "上海市"}  {"facet": "city", "in": […]}  {"facet": "age_band", "between": ["25-34", "45-54"]}  {"facet": "city", "exists": true}
type Predicate struct {
	Op     Operator
	Of     []Predicate // of all, any and not
	Facet  FacetName   // of the others
	Values []string    // of in; one of eq; first and last of between
}

// The limits of a predicate: wide enough for what people mean, and too narrow to be a burden.
const (
	MaxDepth  = 6        // predicates within predicates
	MaxNodes  = 200      // predicates in all
	MaxValues = 500      // values in all
	maxText   = 200      // bytes of a value
	maxSource = 64 << 10 // bytes of JSON
)

var (
	errMalformed     = privacy.Invalid("invalid_predicate", "a predicate is one of all, any, not, or a facet with one of eq, in, between, exists; see the schema segment")
	errEmpty         = privacy.Invalid("empty_predicate", "all, any and in need at least one member")
	errTooDeep       = privacy.Invalid("predicate_too_deep", "predicates may be nested six deep")
	errTooWide       = privacy.Invalid("predicate_too_wide", "a predicate has at most 200 parts and 500 values")
	errContradiction = privacy.Invalid("contradictory_predicate", "the predicate contradicts itself: it describes nobody")
	errUnknownFacet  = privacy.Invalid("unknown_facet", "the catalogue has no such facet")
	errUnknownValue  = privacy.Invalid("unknown_facet_value", "a facet does not have the value; the catalogue lists those there are")
	errUnordered     = privacy.Invalid("facet_not_ordered", "between needs a facet whose values have an order")
)

// Parse reads a predicate and holds it to the limits. The errors are KindInvalid.
func Parse(source []byte) (Predicate, error) {
	if len(source) > maxSource {
		return Predicate{}, errTooWide
	}
	r := reader{}
	return r.read(source, 1)
}

// reader counts what it has read.
type reader struct{ nodes, values int }

// wirePredicate is a predicate in JSON.
type wirePredicate struct {
	All     *[]json.RawMessage `json:"all,omitempty"`
	Any     *[]json.RawMessage `json:"any,omitempty"`
	Not     *json.RawMessage   `json:"not,omitempty"`
	Facet   *FacetName         `json:"facet,omitempty"`
	Eq      *string            `json:"eq,omitempty"`
	In      *[]string          `json:"in,omitempty"`
	Between *[]string          `json:"between,omitempty"`
	Exists  *bool              `json:"exists,omitempty"`
}

func (r *reader) read(source []byte, depth int) (Predicate, error) {
	if depth > MaxDepth {
		return Predicate{}, errTooDeep
	}
	if r.nodes++; r.nodes > MaxNodes {
		return Predicate{}, errTooWide
	}
	var wire wirePredicate
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wire); err != nil {
		return Predicate{}, errMalformed
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Predicate{}, errMalformed
	}
	operators := 0
	for _, given := range []bool{wire.All != nil, wire.Any != nil, wire.Not != nil, wire.Eq != nil, wire.In != nil, wire.Between != nil, wire.Exists != nil} {
		if given {
			operators++
		}
	}
	combines := wire.All != nil || wire.Any != nil || wire.Not != nil
	if operators != 1 || combines == (wire.Facet != nil) {
		return Predicate{}, errMalformed
	}
	switch {
	case wire.All != nil:
		return r.combined(OpAll, *wire.All, depth)
	case wire.Any != nil:
		return r.combined(OpAny, *wire.Any, depth)
	case wire.Not != nil:
		return r.combined(OpNot, []json.RawMessage{*wire.Not}, depth)
	case wire.Eq != nil:
		return r.leaf(OpEq, *wire.Facet, []string{*wire.Eq})
	case wire.In != nil:
		return r.leaf(OpIn, *wire.Facet, *wire.In)
	case wire.Between != nil:
		if len(*wire.Between) != 2 {
			return Predicate{}, errMalformed
		}
		return r.leaf(OpBetween, *wire.Facet, *wire.Between)
	case *wire.Exists:
		return r.leaf(OpExists, *wire.Facet, nil)
	default:
		return Predicate{}, errMalformed // that a value does not exist is written with not
	}
}

func (r *reader) combined(op Operator, members []json.RawMessage, depth int) (Predicate, error) {
	if len(members) == 0 {
		return Predicate{}, errEmpty
	}
	p := Predicate{Op: op, Of: make([]Predicate, 0, min(len(members), MaxNodes))}
	for _, member := range members {
		inner, err := r.read(member, depth+1)
		if err != nil {
			return Predicate{}, err
		}
		p.Of = append(p.Of, inner)
	}
	return p, nil
}

func (r *reader) leaf(op Operator, facet FacetName, values []string) (Predicate, error) {
	if op != OpExists && len(values) == 0 {
		return Predicate{}, errEmpty
	}
	if r.values += len(values); r.values > MaxValues {
		return Predicate{}, errTooWide
	}
	for _, value := range values {
		if value == "" || len(value) > maxText || !utf8.ValidString(value) {
			return Predicate{}, errUnknownValue
		}
	}
	return Predicate{Op: op, Facet: facet, Values: values}, nil
}

// MarshalJSON implements json.Marshaler.
func (p Predicate) MarshalJSON() ([]byte, error) {
	var wire struct {
		All     []Predicate `json:"all,omitempty"`
		Any     []Predicate `json:"any,omitempty"`
		Not     *Predicate  `json:"not,omitempty"`
		Facet   FacetName   `json:"facet,omitempty"`
		Eq      string      `json:"eq,omitempty"`
		In      []string    `json:"in,omitempty"`
		Between []string    `json:"between,omitempty"`
		Exists  bool        `json:"exists,omitempty"`
	}
	wire.Facet = p.Facet
	switch p.Op {
	case OpAll:
		wire.All = p.Of
	case OpAny:
		wire.Any = p.Of
	case OpNot:
		wire.Not = &p.Of[0]
	case OpEq:
		wire.Eq = p.Values[0]
	case OpIn:
		wire.In = p.Values
	case OpBetween:
		wire.Between = p.Values
	case OpExists:
		wire.Exists = true
	}
	return json.Marshal(wire)
}

// UnmarshalJSON implements json.Unmarshaler, by [Parse].
func (p *Predicate) UnmarshalJSON(source []byte) (err error) {
	*p, err = Parse(source)
	return err
}

// Uses lists, sorted, the facets that the predicate looks at.
func (p Predicate) Uses() []FacetName {
	var names []FacetName
	p.walk(func(leaf *Predicate) { names = append(names, leaf.Facet) })
	slices.Sort(names)
	return slices.Compact(names)
}

func (p Predicate) walk(visit func(leaf *Predicate)) {
	if len(p.Of) == 0 {
		visit(&p)
	}
	for _, inner := range p.Of {
		inner.walk(visit)
	}
}

// Check holds the predicate against the facets there are.
func (p Predicate) Check(facets Facets) (err error) {
	p.walk(func(leaf *Predicate) {
		if err == nil {
			err = leaf.checkLeaf(facets)
		}
	})
	return err
}

func (p *Predicate) checkLeaf(facets Facets) error {
	facet, known := facets.Find(p.Facet)
	if !known {
		return errUnknownFacet
	}
	if p.Op == OpBetween && !facet.Ordered {
		return errUnordered
	}
	if facet.Open() {
		return nil
	}
	for _, value := range p.Values {
		if facet.place(value) < 0 {
			return errUnknownValue
		}
	}
	if p.Op == OpBetween && facet.place(p.Values[0]) > facet.place(p.Values[1]) {
		return errContradiction
	}
	return nil
}

// Matches evaluates the predicate on one person. The value of a facet is "" when there is none.
func (p Predicate) Matches(facets Facets, value func(FacetName) string) bool {
	switch p.Op {
	case OpAll:
		return !slices.ContainsFunc(p.Of, func(q Predicate) bool { return !q.Matches(facets, value) })
	case OpAny:
		return slices.ContainsFunc(p.Of, func(q Predicate) bool { return q.Matches(facets, value) })
	case OpNot:
		return !p.Of[0].Matches(facets, value)
	case OpExists:
		return value(p.Facet) != ""
	case OpBetween:
		return slices.Contains(facets.between(&p), value(p.Facet))
	default:
		return slices.Contains(p.Values, value(p.Facet))
	}
}

// between lists the values of an interval.
func (f Facets) between(p *Predicate) []string {
	facet, known := f.Find(p.Facet)
	if !known {
		return nil
	}
	first, last := facet.place(p.Values[0]), facet.place(p.Values[1])
	if first < 0 || last < first {
		return nil
	}
	values := make([]string, 0, last-first+1)
	for _, v := range facet.Values[first : last+1] {
		values = append(values, v.Name)
	}
	return values
}
