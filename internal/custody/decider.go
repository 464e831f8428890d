package custody

import (
	"context"
	"slices"
	"sync"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// decider takes the decisions of one request. Subjects in the same policy state share one, so
// a thousand subjects cost as many decisions as they have distinct states.
type decider struct {
	service  *Service
	revision privacy.RevisionID
	input    privacy.DecisionInput // without the subject
	taken    []taken
	recorded []audit.Decision
	turn     *sync.Mutex // shared by the parts of a request: they do not work the same decision out at once
}

// taken is a decision that was taken already. There are few, one for each distinct state.
type taken struct {
	state   stateKey
	decided decided
}

// decided is an outcome and the name it is on record under.
type decided struct {
	outcome privacy.Outcome
	hash    audit.Hash
}

// stateKey is a policy state that can be compared.
type stateKey struct {
	regime  privacy.Regime
	country string
	age     privacy.AgeBand
	said    saidKey
}

func newStateKey(s privacy.SubjectState) stateKey {
	return stateKey{s.Regime, s.Country, s.AgeBand, newSaidKey(&s)}
}

func (r *releasePart) newDecider() *decider {
	d := r.service.newDecider(r.revision, r.caller.Caller, r.request.Purpose, r.asked.names)
	d.turn = &r.deciding
	return d
}

func (s *Service) newDecider(revision privacy.RevisionID, caller privacy.Caller, purpose privacy.PurposeName, attributes []privacy.AttributeName) *decider {
	roles := slices.Clone(caller.Roles)
	slices.Sort(roles)
	return &decider{service: s, revision: revision, input: privacy.DecisionInput{
		Caller: privacy.InputCaller{Client: caller.Client, Roles: slices.Compact(roles)}, Purpose: purpose, Attributes: attributes}}
}

func (d *decider) decide(ctx context.Context, state privacy.SubjectState) (decided, error) {
	key := newStateKey(state)
	for i := range d.taken {
		if d.taken[i].state == key {
			return d.taken[i].decided, nil
		}
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	input := d.input
	input.Subject = state
	decision, err := d.service.policy.Decide(ctx, d.revision, input)
	if err != nil {
		return decided{}, err
	}
	record := audit.Decision{Revision: d.revision, Input: decision.Input, Outcome: decision.Recorded}
	have := decided{outcome: decision.Outcome, hash: record.Hash()}
	d.taken = append(d.taken, taken{key, have})
	d.recorded = append(d.recorded, record)
	return have, nil
}
