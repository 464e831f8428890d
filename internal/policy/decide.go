package policy

import (
	"context"
	"encoding/json"

	"github.com/consentry/consentry/internal/privacy"
)

// Decision is an outcome and what it was decided on. The bytes are shared: they must not be changed.
type Decision struct {
	Outcome   privacy.Outcome
	Recorded  []byte // the outcome as canonical JSON
	Input     []byte // canonical JSON
	Evaluated bool   // false when the decision was remembered
}

// Decide gives the outcome of a revision for an input. Every asked attribute is in
// exactly one of the outcome's maps, whatever the policy says: what it leaves undecided or
// decides wrongly is withheld with policy_error, all of it. An error means that there is no
// decision: KindUnavailable when the revision is not loaded or time ran out, KindInvalid
// when the input is not text.
func (e *Engine) Decide(ctx context.Context, id privacy.RevisionID, input privacy.DecisionInput) (Decision, error) {
	if _, err := e.revision(id); err != nil {
		return Decision{}, err
	}
	key := decisionKey(id, &input)
	if known, ok := e.decisions.GetIfPresent(key); ok {
		return known.copied(false), nil
	}
	decision, err := e.Evaluate(ctx, id, input)
	if err != nil {
		return Decision{}, err
	}
	e.decisions.Set(key, &decision)
	return decision.copied(true), nil
}

// copied gives a remembered decision out with maps of its own: what is remembered must not change.
func (d *Decision) copied(evaluated bool) Decision {
	given := *d
	given.Outcome, given.Evaluated = cloneOutcome(d.Outcome), evaluated
	return given
}

// Evaluate is Decide without memory: it works the outcome out anew, whatever was decided before, and remembers
// nothing. Replay asks it, because comparing a memory with itself proves nothing.
func (e *Engine) Evaluate(ctx context.Context, id privacy.RevisionID, input privacy.DecisionInput) (Decision, error) {
	ready, decision, err := e.question(id, input)
	if err != nil {
		return Decision{}, err
	}
	decision.Evaluated = true
	if decision.Outcome, err = e.evaluate(ctx, ready, decision.Input, distinct(input.Attributes)); err != nil {
		return Decision{}, err
	}
	if decision.Recorded, err = json.Marshal(decision.Outcome); err != nil {
		return Decision{}, privacy.Internal(err, "write an outcome")
	}
	return decision, nil
}

// question finds the revision and brings the input into the form that is asked and recorded.
func (e *Engine) question(id privacy.RevisionID, input privacy.DecisionInput) (*prepared, Decision, error) {
	ready, err := e.revision(id)
	if err != nil {
		return nil, Decision{}, err
	}
	content, err := CanonicalInput(input)
	return ready, Decision{Input: content}, err
}

func (e *Engine) evaluate(ctx context.Context, ready *prepared, content []byte, asked []privacy.AttributeName) (privacy.Outcome, error) {
	e.evaluations.Add(1)
	answer, err := run(ctx, ready.decision, content)
	if err != nil {
		return privacy.Outcome{}, err
	}
	outcome, ok := readOutcome(answer, asked)
	if !ok {
		return denyAll(asked, privacy.ReasonPolicyError), nil
	}
	return outcome, nil
}
