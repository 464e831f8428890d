package custody

import (
	"context"
	"slices"
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
	permitted  func(*privacy.Outcome) bool
}

// newGroupAsker is for questions that count people by attributes. Where told is not nil members are named, and told what is told of
// them: it takes more to be one then.
func newGroupAsker(s *Service, caller Caller, view *segmentView, purpose privacy.PurposeName, attributes, told []privacy.AttributeName) *groupAsker {
	asker := &groupAsker{service: s, view: view, decider: s.newDecider(view.revision, caller.Caller, purpose, distinct(slices.Concat(attributes, told))), purpose: slices.Index(view.index.Purposes(), purpose)}
	asker.permitted = func(outcome *privacy.Outcome) bool { return countable(outcome, attributes) }
	if told != nil {
		asker.permitted = func(outcome *privacy.Outcome) bool { return s.nameable(outcome, attributes, told) }
	}
	parts := []string{string(view.revision), string(caller.Client)}
	for _, role := range asker.decider.input.Caller.Roles {
		parts = append(parts, string(role))
	}
	for _, names := range [][]privacy.AttributeName{attributes, told} {
		parts = append(parts, "")
		for _, attribute := range names {
			parts = append(parts, string(attribute))
		}
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

// permits reports whether people in a policy state may be counted, or named, by the facts that are asked about.
func (a *groupAsker) permits(ctx context.Context, code segment.Code) (bool, error) {
	input := a.decider.input
	input.Subject = a.view.states.state(a.service.policy, a.view.revision, a.purpose, code)
	decision, err := a.service.policy.Decide(ctx, a.view.revision, input)
	if err != nil {
		return false, err
	}
	return a.permitted(&decision.Outcome), nil
}

// countable reports whether an outcome permits every attribute at mode aggregate or stronger. That one may be used in aggregates only
// is the last reason of all to be given, so nothing else stands against it then.
func countable(outcome *privacy.Outcome, attributes []privacy.AttributeName) bool {
	for _, name := range attributes {
		mode, permitted := outcome.Permitted[name]
		if released := permitted && mode.Releases(); !released && outcome.Withheld[name] != privacy.ReasonAggregateOnly {
			return false
		}
	}
	return true
}

// nameable reports whether an outcome lets somebody be put on a list of those of whom facets are true, to be told some of what told names. Whoever
// reads the list has the facets: each must follow from what the outcome releases of the attributes behind it.
func (s *Service) nameable(outcome *privacy.Outcome, attributes, told []privacy.AttributeName) bool {
	for _, name := range attributes {
		mode, permitted := outcome.Permitted[name]
		if attribute, known := s.catalogue.Attribute(name); !permitted || !known || !attribute.FacetShownBy(mode) {
			return false
		}
	}
	return slices.ContainsFunc(told, func(name privacy.AttributeName) bool { return outcome.Permitted[name].Releases() })
}
