package policy

import (
	"context"

	"github.com/consentry/consentry/internal/privacy"
)

// ProblemLockout is the code of a policy that nobody could ever change again.
const ProblemLockout ProblemCode = "locks_everybody_out"

// needed are the operations without which a policy could never be changed again: somebody must be permitted to
// call each of them, in the given role where there is one.
var needed = []struct {
	operation Operation
	role      privacy.Role // "": any but the subjects'
}{
	{"policy-drafts-create", ""}, {"policy-drafts-get", ""}, {"policy-drafts-edit", ""}, {"policy-drafts-submit", ""}, {"policy-drafts-rebase", ""},
	{"policy-drafts-approve", privacy.RoleApprover}, {"policy-drafts-publish", ""}, {"policy-revisions-rollback", ""},
}

// Try tries a revision as a whole: everything that [Check] does, and whether the policy could be changed again. It evaluates on an
// engine of its own, since the engine that decides has no room to give away.
func Try(ctx context.Context, revision Revision) (Report, error) {
	report, err := Check(ctx, revision)
	if err != nil || len(report.Problems) > 0 {
		return report, err
	}
	engine := NewEngine(WithRevisions(1), WithMemo(1))
	if err := engine.Load(ctx, revision); err != nil {
		return report, err
	}
	locked, err := lockout(ctx, engine, revision.ID)
	for _, operation := range locked {
		report.Pass = false
		report.add(Problem{Code: ProblemLockout, Pointer: "/data/operations/" + string(operation),
			Message: "nobody could call this operation any more, and the policy could not be changed again"})
	}
	return report, err
}

// lockout finds the needed operations that nobody could call under a loaded revision.
func lockout(ctx context.Context, engine *Engine, id privacy.RevisionID) ([]Operation, error) {
	var locked []Operation
	for _, need := range needed {
		open := false
		for _, role := range privacy.Roles() {
			if role == privacy.RoleSubject || need.role != "" && role != need.role {
				continue
			}
			allowed, err := engine.Authorise(ctx, id, NewAuthzInput(privacy.Caller{Client: "somebody", Roles: []privacy.Role{role}}, need.operation, privacy.SubjectID{}))
			if err != nil {
				return nil, err
			}
			open = open || allowed
		}
		if !open {
			locked = append(locked, need.operation)
		}
	}
	return locked, nil
}
