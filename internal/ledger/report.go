package ledger

import "github.com/consentry/consentry/internal/privacy"

// Finding is something that is wrong with a subject's ledger.
type Finding struct {
	Kind    Fault             `json:"kind"`
	Subject privacy.SubjectID `json:"subject"`
	Seq     int32             `json:"seq,omitempty"` // of the record it is about
	Detail  string            `json:"detail"`
}

// Fault says what is wrong.
type Fault string

// The faults. The first group says that the ledger is not what was recorded, the second that what was worked out
// from it is not what follows from it, which a rebuild mends.
const (
	FaultGap       Fault = "gap"            // a number is missing, or comes twice
	FaultChanged   Fault = "changed"        // a record is not what its hash says
	FaultLink      Fault = "broken_link"    // a record does not follow the one before
	FaultUnchained Fault = "unchained"      // a record without a hash after the chain began
	FaultUnaudited Fault = "not_in_audit"   // the audit log does not know the record
	FaultMissing   Fault = "missing"        // the audit log knows a record that is not there
	FaultState     Fault = "wrong_state"    // a state of consent that does not follow from the ledger
	FaultStanding  Fault = "wrong_standing" // objections or signals that do not follow
)

// Derived reports whether a rebuild mends the fault.
func (f Fault) Derived() bool { return f == FaultState || f == FaultStanding }

// Report is what a walk over all ledgers found.
type Report struct {
	Subjects  int       `json:"subjects"`
	Records   int       `json:"records"`
	Chained   int       `json:"chained"` // records that have a hash
	Rebuilt   int       `json:"rebuilt"` // subjects whose state was written anew
	Findings  []Finding `json:"findings"`
	Omitted   int       `json:"omitted,omitempty"` // findings beyond the first thousand
	Remaining int       `json:"remaining"`         // findings that were not mended
}

// maxFindings keeps a report readable, and a walk over a ruined database within memory.
const maxFindings = 1000

// OK reports whether all is well, by now.
func (r *Report) OK() bool { return r.Remaining == 0 }

func (r *Report) add(findings []Finding) {
	for _, finding := range findings {
		r.Remaining++
		if len(r.Findings) < maxFindings {
			r.Findings = append(r.Findings, finding)
		} else {
			r.Omitted++
		}
	}
}
