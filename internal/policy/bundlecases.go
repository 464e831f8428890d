package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/consentry/consentry/internal/privacy"
)

// casesAsTests writes cases as Rego, so that OPA's own tester runs them. A case is a rule with a number; its
// name stands above it.
func casesAsTests(cases []Case) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# The cases of cases.json as tests, written by the vault.\npackage consentry_cases_test\n\nimport data.consentry.disclosure\n")
	for i, c := range cases {
		input, err := CanonicalInput(c.DecisionInput())
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "\n# %s\ntest_%04d if {\n\tdecision := disclosure.decision with input as %s\n", oneLine(c.Name), i+1, input)
		for _, attribute := range slices.Sorted(maps.Keys(c.Permitted)) {
			if err := expect(&out, "permitted", string(attribute), string(c.Permitted[attribute])); err != nil {
				return nil, err
			}
		}
		for _, attribute := range slices.Sorted(maps.Keys(c.Withheld)) {
			if err := expect(&out, "withheld", string(attribute), string(c.Withheld[attribute])); err != nil {
				return nil, err
			}
		}
		out.WriteString("}\n")
	}
	return out.Bytes(), nil
}

func expect(out *bytes.Buffer, part, attribute, answer string) error {
	name, err := canonicalJSON(attribute)
	if err != nil {
		return privacy.Internal(err, "write a case")
	}
	fmt.Fprintf(out, "\tdecision.%s[%s]", part, name)
	if answer != anyAnswer {
		wanted, err := canonicalJSON(answer)
		if err != nil {
			return privacy.Internal(err, "write a case")
		}
		fmt.Fprintf(out, " == %s", wanted)
	}
	out.WriteByte('\n')
	return nil
}

// oneLine makes a text fit for a comment.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
}
