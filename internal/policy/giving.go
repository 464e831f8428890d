package policy

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// givingInput is the question whether a consent may be recorded as it was given.
type givingInput struct {
	Purpose privacy.PurposeName  `json:"purpose"`
	Subject privacy.SubjectState `json:"subject"` // as it would be after
}

// Refusal says why the revision does not let a consent be recorded as it was given; "" when it does.
// A revision that has no such rule leaves the matter to its decisions. An answer that is none is a refusal.
func (e *Engine) Refusal(ctx context.Context, id privacy.RevisionID, purpose privacy.PurposeName, state privacy.SubjectState) (privacy.Reason, error) {
	ready, err := e.revision(id)
	if err != nil {
		return "", err
	}
	state.Consent.SeparateFor = distinct(state.Consent.SeparateFor)
	content, err := json.Marshal(givingInput{Purpose: purpose, Subject: state})
	if err != nil {
		return "", privacy.Internal(err, "encode a question about a consent")
	}
	key := memoKey{revision: id, asked: sha256.Sum256(content)}
	if refusal, known := e.refusals.GetIfPresent(key); known {
		return refusal, nil
	}
	answer, err := run(ctx, ready.giving, content)
	if err != nil {
		return "", err
	}
	refusal := firstReason(answer)
	e.refusals.Set(key, refusal)
	return refusal, nil
}

// firstReason gives the first, in the order of reasons, of a set of them.
func firstReason(answer any) privacy.Reason {
	if answer == nil {
		return ""
	}
	reasons, ok := answer.([]any)
	if !ok {
		return privacy.ReasonPolicyError
	}
	for _, reason := range privacy.Reasons() {
		if slices.Contains(reasons, any(string(reason))) {
			return reason
		}
	}
	if len(reasons) > 0 {
		return privacy.ReasonPolicyError
	}
	return ""
}
