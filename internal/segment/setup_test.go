package segment

import (
	"encoding/binary"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

// facets are two closed ones, one of them ordered, and an open one.
var facets = Facets{
	{Name: "age_band", Titles: map[string]string{"en": "Age band", "zh": "年龄段"}, Values: []Value{{Name: "under 18"}, {Name: "18-24"}, {Name: "25-34"}, {Name: "35+"}}, Ordered: true},
	{Name: "gender", Titles: map[string]string{"en": "Gender", "zh": "性别"}, Values: []Value{{Name: "male", Titles: map[string]string{"en": "Male", "zh": "男"}}, {Name: "female", Titles: map[string]string{"en": "Female", "zh": "女"}}}},
	{Name: "city", Titles: map[string]string{"en": "City", "zh": "城市"}},
}

var cities = []string{"上海市", "北京市", "Köln", "Graz"}

// drawValue draws a value of a facet; "" is none where that is wanted.
func drawValue(t *rapid.T, facet int, none bool) string {
	values := cities
	if !facets[facet].Open() {
		values = nil
		for _, v := range facets[facet].Values {
			values = append(values, v.Name)
		}
	}
	if none {
		values = append([]string{""}, values...)
	}
	return rapid.SampledFrom(values).Draw(t, "value")
}

// drawPredicate draws a predicate, nested to some depth.
func drawPredicate(t *rapid.T, depth int) Predicate {
	ops := []Operator{OpEq, OpIn, OpExists, OpBetween}
	if depth > 1 {
		ops = append(ops, OpAll, OpAny, OpNot, OpAll, OpAny)
	}
	op := rapid.SampledFrom(ops).Draw(t, "operator")
	facet := rapid.IntRange(0, len(facets)-1).Draw(t, "facet")
	leaf := Predicate{Op: op, Facet: facets[facet].Name}
	switch op {
	case OpAll, OpAny:
		p := Predicate{Op: op}
		for range rapid.IntRange(1, 3).Draw(t, "members") {
			p.Of = append(p.Of, drawPredicate(t, depth-1))
		}
		return p
	case OpNot:
		return Predicate{Op: op, Of: []Predicate{drawPredicate(t, depth-1)}}
	case OpIn:
		for range rapid.IntRange(1, 4).Draw(t, "values") {
			leaf.Values = append(leaf.Values, drawValue(t, facet, false))
		}
	case OpEq:
		leaf.Values = []string{drawValue(t, facet, false)}
	case OpBetween:
		first := rapid.IntRange(0, 3).Draw(t, "first")
		last := rapid.IntRange(first, 3).Draw(t, "last")
		leaf.Facet, leaf.Values = "age_band", []string{facets[0].Values[first].Name, facets[0].Values[last].Name}
	}
	return leaf
}

// person is somebody as the naive model knows them.
type person struct {
	version Version
	gone    bool
	facets  []string
	states  []Code
}

func (p *person) value(name FacetName) string { return p.facets[facets.place(name)] }

func drawPerson(t *rapid.T, purposes int) person {
	p := person{version: Version(rapid.IntRange(1, 9).Draw(t, "version")), gone: rapid.IntRange(0, 9).Draw(t, "gone") == 0}
	for i := range facets {
		p.facets = append(p.facets, drawValue(t, i, true))
	}
	for range purposes {
		p.states = append(p.states, Code(rapid.IntRange(0, 5).Draw(t, "state")))
	}
	return p
}

func (p *person) subject(x *Index, id privacy.SubjectID) Subject {
	return Subject{ID: id, Version: p.version, Gone: p.gone, Facets: coded(x, p.facets...), States: p.states}
}

// coded gives the codes of values.
func coded(x *Index, values ...string) []Code {
	codes := make([]Code, len(values))
	x.Codes(values, codes)
	return codes
}

// subjectID gives the id of a number.
func subjectID(n int) (id privacy.SubjectID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// permitEven lets those be counted whose policy state has an even number.
func permitEven(state Code) bool { return state != 0 && state%2 == 0 }

// decide settles a permission by a rule.
func decide(x *Index, permission Permission, rule func(Code) bool) {
	codes := x.Undecided(permission)
	permits := make([]bool, len(codes))
	for i, code := range codes {
		permits[i] = rule(code)
	}
	x.Decide(permission, codes, permits)
}

func mustCount(t testing.TB, x *Index, permission Permission, p Predicate) uint64 {
	t.Helper()
	decide(x, permission, permitEven)
	n, ok := x.Count(permission, p)
	if !ok {
		t.Fatal("the permission is not settled")
	}
	return n
}

func everybody(n int) string { return "question " + strconv.Itoa(n) }
