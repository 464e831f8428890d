package policy

import (
	"slices"
	"strings"
)

// Tests are what the officer expects of a revision. They are part of it, so that what was tested is what
// was approved, but they decide nothing: no decision loads them.
type Tests struct {
	Cases   []Case            `json:"cases,omitempty"`   // by name
	Modules map[string]string `json:"modules,omitempty"` // file name, ending in _test.rego → Rego for OPA's tester
}

// IsZero reports whether there are no tests; then the revision's document does not mention them.
func (t Tests) IsZero() bool { return len(t.Cases) == 0 && len(t.Modules) == 0 }

// sorted puts the cases in the order of their names, so that the id does not depend on the files they
// were read from.
func (t Tests) sorted() Tests {
	t.Cases = slices.Clone(t.Cases)
	slices.SortStableFunc(t.Cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return t
}
