package policy

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// CanonicalInput gives the one form of an input: lists sorted and distinct, never null,
// fields in the order of the type, no insignificant space. Its SHA-256 is the input
// hash that audit entries carry, and it is what the policy is evaluated on.
//
// Text that is not UTF-8 has no JSON form and is refused.
func CanonicalInput(input privacy.DecisionInput) ([]byte, error) {
	if !validText(input) {
		return nil, privacy.Invalid("invalid_input", "send text as UTF-8")
	}
	input.Caller.Roles = distinct(input.Caller.Roles)
	input.Attributes = distinct(input.Attributes)
	input.Subject.Consent.SeparateFor = distinct(input.Subject.Consent.SeparateFor)
	content, err := json.Marshal(input)
	if err != nil {
		return nil, privacy.Internal(err, "encode a decision input")
	}
	return content, nil
}

// ParseInput reads a stored input back, for replay. Only the canonical form is an input:
// anything else would not hash to what was recorded.
func ParseInput(content []byte) (privacy.DecisionInput, error) {
	var input privacy.DecisionInput
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		return privacy.DecisionInput{}, notCanonical()
	}
	if _, err := decoder.Token(); err != io.EOF {
		return privacy.DecisionInput{}, notCanonical()
	}
	canonical, err := CanonicalInput(input)
	if err != nil || !bytes.Equal(canonical, content) {
		return privacy.DecisionInput{}, notCanonical()
	}
	return input, nil
}

func notCanonical() error {
	return privacy.Invalid("invalid_input", "a stored decision input is in its canonical form")
}

// distinct sorts and drops repeats, in a new slice unless there is nothing to do.
func distinct[S ~[]T, T ~string](list S) S {
	if list == nil {
		return S{}
	}
	if strictlyAscending(list) {
		return list
	}
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func strictlyAscending[S ~[]T, T ~string](list S) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

func validText(input privacy.DecisionInput) bool {
	return utf8.ValidString(string(input.Caller.Client)) && allValid(input.Caller.Roles) &&
		utf8.ValidString(string(input.Purpose)) && allValid(input.Attributes) &&
		utf8.ValidString(string(input.Subject.Regime)) && utf8.ValidString(input.Subject.Country) &&
		utf8.ValidString(string(input.Subject.AgeBand)) && utf8.ValidString(string(input.Subject.Consent.Status)) &&
		allValid(input.Subject.Consent.SeparateFor) && utf8.ValidString(string(input.Subject.Consent.By))
}

func allValid[T ~string](list []T) bool {
	for _, text := range list {
		if !utf8.ValidString(string(text)) {
			return false
		}
	}
	return true
}
