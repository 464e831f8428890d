package segment

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// FacetName names what a facet shows: "age_band", "city".
type FacetName string

// Facet is a coarse fact about people: at most one value each.
type Facet struct {
	Name   FacetName
	Titles map[string]string // by language; "en" always
	// Values are all there can be, in their order where they have one. Empty: the facet is open, and its values are
	// whatever people wrote.
	Values  []Value
	Ordered bool // "between" makes sense
	// Attributes are those that the facet is made from. A policy must let every one of them be used.
	Attributes []privacy.AttributeName
}

// Value is one value of a facet.
type Value struct {
	Name   string
	Titles map[string]string // by language; empty: the name says it
}

// Open reports whether the values are not known beforehand.
func (f *Facet) Open() bool { return len(f.Values) == 0 }

func (f *Facet) place(value string) int {
	return slices.IndexFunc(f.Values, func(v Value) bool { return v.Name == value })
}

// Facets are the facets that predicates may speak of.
type Facets []Facet

// Find gives the facet of a name.
func (f Facets) Find(name FacetName) (*Facet, bool) {
	i := f.place(name)
	if i < 0 {
		return nil, false
	}
	return &f[i], true
}

func (f Facets) place(name FacetName) int {
	return slices.IndexFunc(f, func(facet Facet) bool { return facet.Name == name })
}
