package proofpack

import (
	"fmt"
	"slices"

	"github.com/consentry/consentry/internal/audit"
)

// Trust is what somebody who verifies a pack knows from elsewhere: the vault's signing keys, as GET
// /v1/audit/checkpoint gives them. Receipts, manifest and checkpoints are signed by the same ones. Without any, the keys that
// the pack brings along are taken: then it is shown that all of it was made by one signer, and not by whom.
type Trust struct {
	Keys []audit.Key
}

// Check is one thing that was looked at.
type Check struct {
	Name   string   `json:"check"`
	OK     bool     `json:"ok"`
	Detail string   `json:"detail,omitempty"` // what was found right
	Faults []string `json:"faults,omitempty"` // what was found wrong, the first ones; none of a check that was not reached or ended
}

// maxFaults keeps a report readable: whoever changed more is not found out any better by the rest.
const maxFaults = 20

func (c *Check) fault(format string, args ...any) {
	if len(c.Faults) < maxFaults {
		c.Faults = append(c.Faults, fmt.Sprintf(format, args...))
	}
}

// done ends a check. One that is never ended has not passed.
func (c *Check) done(format string, args ...any) {
	slices.Sort(c.Faults)
	if c.OK = len(c.Faults) == 0; c.OK {
		c.Detail = fmt.Sprintf(format, args...)
	}
}

// Report is what verifying a pack has shown. It holds no personal data but the subject's pseudonym.
type Report struct {
	Checks   []*Check    `json:"checks"`
	Manifest *Manifest   `json:"manifest,omitempty"` // as it is in the pack; nil when it cannot be read
	Vouched  bool        `json:"vouched"`            // the keys were given by who asked, not by the pack
	Keys     []audit.Key `json:"keys"`               // that were trusted
}

// OK reports whether the pack is what was signed.
func (r *Report) OK() bool {
	for _, check := range r.Checks {
		if !check.OK {
			return false
		}
	}
	return len(r.Checks) == len(checkNames)
}

// The names of the checks, in their order. A pack that has not passed all of them has not passed.
var checkNames = []string{"container", "manifest", "files", "keys", "records", "receipts", "notices", "audit log"}

func (r *Report) begin(name string) *Check {
	check := &Check{Name: name}
	r.Checks = append(r.Checks, check)
	return check
}
