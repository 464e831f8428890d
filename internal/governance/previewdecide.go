package governance

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// pairs gives the clients to be asked about for each purpose: those whom a change can concern. Of the clients that neither revision
// grants a purpose, those are left out that the policy turns away for that very reason, whoever it is about.
func (p *preview) pairs(ctx context.Context, everybody *custody.Census) (map[privacy.PurposeName][]privacy.ClientID, error) {
	sample := make(map[privacy.PurposeName]*custody.CensusState)
	for _, state := range everybody.States {
		if sample[state.Purpose] == nil {
			sample[state.Purpose] = state
		}
	}
	pairs := make(map[privacy.PurposeName][]privacy.ClientID)
	for _, purpose := range p.purposes {
		for _, client := range p.clients {
			granted := p.engine.Granted(p.before.ID, client, purpose) || p.engine.Granted(p.after.ID, client, purpose)
			if state := sample[purpose]; !granted && state != nil {
				before, after, err := p.decide(ctx, client, state)
				if err != nil {
					return nil, err
				}
				granted = !turnedAway(before) || !turnedAway(after)
			}
			if granted {
				pairs[purpose] = append(pairs[purpose], client)
			}
		}
	}
	return pairs, nil
}

func turnedAway(outcome privacy.Outcome) bool {
	for _, reason := range outcome.Withheld {
		if reason != privacy.ReasonPurposeNotGranted && reason != privacy.ReasonUnknownPurpose {
			return false
		}
	}
	return len(outcome.Permitted) == 0
}

// changesFor decides on a state for each client. Where the revisions differ in nothing that the question can reach, and
// agree on the law, the answers are the same, and nothing is decided.
func (p *preview) changesFor(ctx context.Context, state *custody.CensusState, clients []privacy.ClientID) ([]change, error) {
	var changes []change
	for _, client := range clients {
		if state.Before.Regime == state.After.Regime && !p.reach.Touches(client, state.Purpose) {
			continue
		}
		before, after, err := p.decide(ctx, client, state)
		if err != nil {
			return nil, err
		}
		changes = append(changes, outcomesDiffer(client, state.Purpose, p.asked[state.Purpose], before, after)...)
	}
	return changes, nil
}

func (p *preview) decide(ctx context.Context, client privacy.ClientID, state *custody.CensusState) (before, after privacy.Outcome, err error) {
	input := privacy.DecisionInput{Caller: privacy.InputCaller{Client: client, Roles: []privacy.Role{privacy.RoleConsumer}},
		Purpose: state.Purpose, Attributes: p.asked[state.Purpose], Subject: state.Before}
	decided, err := p.engine.Evaluate(ctx, p.before.ID, input)
	if err != nil {
		return before, after, err
	}
	input.Subject = state.After
	again, err := p.engine.Evaluate(ctx, p.after.ID, input)
	return decided.Outcome, again.Outcome, err
}

// maxRecorded bounds how many distinct decisions a preview takes again.
const maxRecorded = 50_000

// recorded takes the recorded decisions of a span again under the candidate, each distinct one once, and counts the people
// they were about. A decision has the state in which people were when it was taken.
func (p *preview) recorded(ctx context.Context, since time.Time, minimum int) (*RecordedPreview, error) {
	result := &RecordedPreview{Since: since, Changes: []PreviewChange{}}
	var decisions []audit.StoredDecision
	for decision, err := range p.service.store.RecordedDecisions(ctx, since, time.Time{}) {
		if err != nil {
			return nil, err
		}
		result.Entries += decision.Entries
		result.Decisions++
		if !decision.Missing && decision.Revision != p.after.ID {
			decisions = append(decisions, decision.StoredDecision)
		}
		if len(decisions) > maxRecorded {
			return nil, privacy.Invalid("too_many_decisions", "there are more than 50,000 distinct decisions in so many days; ask for fewer")
		}
	}
	changes := make([][]change, len(decisions))
	err := custody.InParallel(ctx, len(decisions), func(ctx context.Context, i int) (err error) {
		changes[i], err = p.decideAgain(ctx, decisions[i].Decision)
		return err
	})
	if err != nil {
		return nil, err
	}
	var cells cellTable
	var vectors [][]int
	groupOf := make(map[audit.Hash]int32)
	for i := range decisions {
		if len(changes[i]) == 0 {
			continue
		}
		vector := cells.of(changes[i])
		n := slices.IndexFunc(vectors, func(have []int) bool { return slices.Equal(have, vector) })
		if n < 0 {
			n = len(vectors)
			vectors = append(vectors, vector)
		}
		groupOf[decisions[i].Hash] = int32(n) //nolint:gosec // at most maxRecorded
	}
	people, err := p.service.store.PeopleByDecision(ctx, since, groupOf)
	if err != nil {
		return nil, err
	}
	result.Changes = append(result.Changes, cells.told(countCells(len(cells.changes), minimum, groupsOf(people, vectors)))...)
	slices.SortFunc(result.Changes, compareChanges)
	return result, nil
}

// groupsOf gives the cells that people are in through any of their decisions.
func groupsOf(people []store.PeopleAlike, vectors [][]int) []peopleGroup {
	groups := make([]peopleGroup, len(people))
	for i, alike := range people {
		groups[i].people = alike.People
		for _, n := range alike.Groups {
			groups[i].cells = append(groups[i].cells, vectors[n]...)
		}
		slices.Sort(groups[i].cells)
		groups[i].cells = slices.Compact(groups[i].cells)
	}
	return groups
}

// decideAgain compares a recorded outcome with the candidate's on the same input. One that cannot be read changes nothing here:
// replay reports it.
func (p *preview) decideAgain(ctx context.Context, decision audit.Decision) ([]change, error) {
	input, err := policy.ParseInput(decision.Input)
	if err != nil {
		return nil, nil //nolint:nilerr // documented
	}
	var before privacy.Outcome
	if err := json.Unmarshal(decision.Outcome, &before); err != nil {
		return nil, nil //nolint:nilerr // documented
	}
	after, err := p.engine.Evaluate(ctx, p.after.ID, input)
	if err != nil {
		return nil, err
	}
	return outcomesDiffer(input.Caller.Client, input.Purpose, input.Attributes, before, after.Outcome), nil
}

// previewSpan is the span of recorded decisions that a preview looks back over.
func previewSpan(at time.Time, days int) time.Time { return at.AddDate(0, 0, -days) }
