package audit

// FindingKind says what is wrong. Callers may switch on it.
type FindingKind string

// The kinds of findings.
const (
	FoundChanged         FindingKind = "changed"          // an entry is not what its leaf was made from
	FoundRemoved         FindingKind = "removed"          // a leaf whose entry is gone
	FoundGap             FindingKind = "gap"              // leaves are missing
	FoundInserted        FindingKind = "inserted"         // an entry outside the log, or an index that is taken
	FoundDecisionChanged FindingKind = "decision_changed" // a decision that does not fit its hash
	FoundDecisionMissing FindingKind = "decision_missing" // an entry refers to a decision that is not there
	FoundRootMismatch    FindingKind = "root_mismatch"    // the log does not lead to a signed root
	FoundTruncated       FindingKind = "truncated"        // a signed checkpoint covers more than there is
	FoundInconsistent    FindingKind = "inconsistent"     // a signed checkpoint fits no history that a later one fits
	FoundBadSignature    FindingKind = "bad_signature"    // no trusted key has signed a checkpoint
	FoundBadCheckpoint   FindingKind = "bad_checkpoint"   // malformed, of another log, or out of order
	FoundUnsigned        FindingKind = "unsigned"         // entries that no good checkpoint covers
)

// Finding is one thing that is wrong, as narrowly as it can be told. It holds no personal data.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	Index  uint64      `json:"index"`          // in the log; for checkpoints, their size
	Entry  EntryName   `json:"entry,omitzero"` // where one is meant
	Detail string      `json:"detail"`
}

// maxFindings bounds a report: whoever changed more than this is not found out any better by
// the rest.
const maxFindings = 1_000

// Report is what a check of the log has shown.
type Report struct {
	Origin      string    `json:"origin"`
	Size        uint64    `json:"size"`        // leaves
	Signed      uint64    `json:"signed"`      // leaves under the newest good checkpoint
	Root        Hash      `json:"root"`        // recomputed, at Size
	Checkpoints int       `json:"checkpoints"` // good ones
	Decisions   int       `json:"decisions"`   // good ones
	Pending     int       `json:"pending"`     // entries too new to be in the log, or to be signed
	Findings    []Finding `json:"findings"`
	Omitted     int       `json:"omitted,omitempty"` // findings beyond the first 1,000
}

// OK reports whether the log is what was signed.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

func (r *Report) add(f Finding) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	} else {
		r.Omitted++
	}
}
