package audit

import (
	"crypto/sha256"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// decisionLabel separates decisions from everything else that is ever hashed.
const decisionLabel = "consentry decision v1\x00"

// Decision is one evaluation of the policy: with the revision and the input anybody can
// evaluate it again and must get the outcome. Subjects in the same policy state share
// one, so it is stored under its hash, and entries refer to it.
type Decision struct {
	Revision privacy.RevisionID
	Input    []byte // canonical JSON of a privacy.DecisionInput; never changed after the hand-over
	Outcome  []byte // canonical JSON of a privacy.Outcome; likewise
}

// Hash names the decision: SHA-256 over a label and the three parts, each after its length, so that
// no two decisions run together into the same bytes.
func (d Decision) Hash() Hash {
	b := make([]byte, 0, len(decisionLabel)+12+len(d.Revision)+len(d.Input)+len(d.Outcome))
	b = append(b, decisionLabel...)
	b = appendText(b, d.Revision)
	b = appendText(b, d.Input)
	b = appendText(b, d.Outcome)
	return sha256.Sum256(b)
}

// Validate reports whether the decision can be recorded and exported without loss.
func (d Decision) Validate() error {
	if !isName(string(d.Revision)) || !utf8.Valid(d.Input) || !utf8.Valid(d.Outcome) {
		return privacy.Internal(nil, "record a decision: malformed")
	}
	return nil
}

// StoredDecision is a row of the decision table.
type StoredDecision struct {
	Hash Hash
	Decision
}
