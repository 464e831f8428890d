package custody

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
)

// groupAsker puts questions to an index on behalf of a caller.
type groupAsker struct {
	service    *Service
	view       *segmentView
	decider    *decider
	permission segment.Permission
	purpose    int
	named      bool // members are named, not counted alone
}

func newGroupAsker(s *Service, caller Caller, view *segmentView, purpose privacy.PurposeName, attributes []privacy.AttributeName, named bool) *groupAsker {
	asker := &groupAsker{service: s, view: view, named: named, decider: s.newDecider(view.revision, caller.Caller, purpose, attributes), purpose: slices.Index(view.index.Purposes(), purpose)}
	parts := []string{string(view.revision), string(caller.Client), strconv.FormatBool(named)}
	for _, role := range asker.decider.input.Caller.Roles {
		parts = append(parts, string(role))
	}
	parts = append(parts, "")
	for _, attribute := range attributes {
		parts = append(parts, string(attribute))
	}
	asker.permission = segment.Permission{Purpose: purpose, Question: strings.Join(parts, "\x00")}
	return asker
}

// askRounds bounds how often policy states that nobody has decided on may turn up while they are being decided on.
const askRounds = 20

// ask puts a question, after the policy has decided on every policy state there is.
func ask[T any](ctx context.Context, a *groupAsker, question func(*segment.Index, segment.Permission) (T, bool)) (answer T, err error) {
	for range askRounds {
		if answer, ok := question(a.view.index, a.permission); ok {
			return answer, nil
		}
		codes := a.view.index.Undecided(a.permission)
		permits := make([]bool, len(codes))
		err := InParallel(ctx, len(codes), func(ctx context.Context, i int) (err error) {
			permits[i], err = a.permits(ctx, codes[i])
			return err
		})
		if err != nil {
			return answer, err
		}
		a.view.index.Decide(a.permission, codes, permits)
	}
	return answer, errSegmentsBehind
}

// permits reports whether people in a policy state may be counted by the facts that are asked about: whether the policy permits every one of
// them, in any form or in aggregates alone. Where members are named, aggregates alone are not enough: whoever is on the list has the facts.
func (a *groupAsker) permits(ctx context.Context, code segment.Code) (bool, error) {
	input := a.decider.input
	input.Subject = a.view.states.state(a.service.policy, a.view.revision, a.purpose, code)
	decision, err := a.service.policy.Decide(ctx, a.view.revision, input)
	if err != nil {
		return false, err
	}
	return countable(&decision.Outcome, input.Attributes, a.named), nil
}

// countable reports whether an outcome permits every attribute at mode aggregate or stronger. That one may be used in aggregates only
// is the last reason of all to be given, so nothing else stands against it then. For those who are named it is not enough.
func countable(outcome *privacy.Outcome, attributes []privacy.AttributeName, named bool) bool {
	for _, name := range attributes {
		mode, permitted := outcome.Permitted[name]
		if released := permitted && mode.Releases(); !released && (named || outcome.Withheld[name] != privacy.ReasonAggregateOnly) {
			return false
		}
	}
	return true
}
