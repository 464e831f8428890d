package policy

import (
	"context"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// A sample is asked of every revision that is checked, whether it brings cases or not.
const (
	sampledPurposes   = 100
	sampledAttributes = 200
)

// sample asks about every purpose under the strictest law, and about one under every law, for people in a few
// states, and holds each answer to the shape of a decision. Somebody without consent, somebody with all of it, and
// somebody who objected lead through most rules.
func (r *Report) sample(ctx context.Context, ready *prepared, revision Revision) error {
	problems := map[Problem]bool{}
	for input := range sampleInputs(ready.tables, revision.Data) {
		outcome, ok, err := ready.ask(ctx, input)
		if err != nil {
			return err
		}
		where := pointer("data", "purposes", string(input.Purpose))
		switch {
		case !ok:
			problems[Problem{Code: ProblemShape, Pointer: where,
				Message: "the decision does not put every attribute into exactly one of permitted and withheld, with a known mode or reason"}] = true
		case slices.Contains(slices.Collect(maps.Values(outcome.Withheld)), privacy.ReasonPolicyError):
			problems[Problem{Code: ProblemFailsClosed, Pointer: where,
				Message: "the decision is policy_error for a sound question; a row of purposes, regimes or attributes is not what the rules need"}] = true
		}
	}
	if err := r.sampleCalls(ctx, ready, revision.Data, problems); err != nil {
		return err
	}
	r.add(inOrder(slices.Collect(maps.Keys(problems)))...)
	return nil
}

func sampleInputs(t tables, data map[string]any) func(func(privacy.DecisionInput) bool) {
	var attributes []privacy.AttributeName
	for _, name := range firstKeys(data["attributes"], sampledAttributes) {
		attributes = append(attributes, privacy.AttributeName(name))
	}
	purposes := slices.Sorted(maps.Keys(t.purposes))
	laws := slices.Sorted(maps.Keys(t.regimes.Laws))
	return func(yield func(privacy.DecisionInput) bool) {
		for i, purpose := range purposes[:min(len(purposes), sampledPurposes)] {
			client := somebodyGranted(t, purpose)
			if i > 0 {
				laws = []privacy.Regime{privacy.RegimeDefault}
			}
			for _, law := range laws {
				for _, subject := range sampleStates(law) {
					input := privacy.DecisionInput{Caller: privacy.InputCaller{Client: client, Roles: []privacy.Role{privacy.RoleConsumer}},
						Purpose: purpose, Attributes: attributes, Subject: subject}
					if !yield(input) {
						return
					}
				}
			}
		}
	}
}

func sampleStates(law privacy.Regime) []privacy.SubjectState {
	asked := privacy.SubjectState{Regime: law, AgeBand: privacy.AgeUnknown, Consent: privacy.ConsentState{Status: privacy.ConsentNone, By: privacy.BySelf}}
	willing := privacy.SubjectState{Regime: law, Country: "DE", AgeBand: privacy.AgeAdult, SoftOptIn: true, Consent: privacy.ConsentState{
		Status: privacy.ConsentGranted, NoticeVersion: 1 << 20, Explicit: true, By: privacy.BySelf,
		SeparateFor: []privacy.ConsentScope{privacy.ScopeThirdParty, privacy.ScopePublic, privacy.ScopePublicImage, privacy.ScopeSensitive, privacy.ScopeTransfer}}}
	unwilling := willing
	unwilling.AgeBand, unwilling.Objected, unwilling.OptOutSignal, unwilling.LimitSensitive = privacy.Age13, true, true, true
	unwilling.Consent = privacy.ConsentState{Status: privacy.ConsentWithdrawn, NoticeVersion: 1, By: privacy.BySelf}
	return []privacy.SubjectState{asked, willing, unwilling}
}

func somebodyGranted(t tables, purpose privacy.PurposeName) privacy.ClientID {
	for _, client := range slices.Sorted(maps.Keys(t.granted)) {
		if slices.Contains(t.granted[client], purpose) {
			return client
		}
	}
	return "nobody"
}

// sampleCalls asks whether each role may call each operation: the answer is yes or no.
func (r *Report) sampleCalls(ctx context.Context, ready *prepared, data map[string]any, problems map[Problem]bool) error {
	for _, operation := range append(firstKeys(data["operations"], sampledPurposes), "no-such-operation") {
		for _, role := range privacy.Roles() {
			content, err := canonicalJSON(AuthzInput{Caller: AuthzCaller{Client: "nobody", Roles: []privacy.Role{role}}, Operation: Operation(operation)})
			if err != nil {
				return privacy.Internal(err, "encode an authorisation input")
			}
			answer, err := run(ctx, ready.allow, content)
			if err != nil {
				return err
			}
			if _, ok := answer.(bool); !ok {
				problems[Problem{Code: ProblemShape, Pointer: pointer("data", "operations", operation),
					Message: "consentry.authz.allow is neither true nor false; give it a default of false"}] = true
			}
		}
	}
	return nil
}

// firstKeys gives the names of a table's first rows.
func firstKeys(table any, most int) []string {
	rows, _ := table.(map[string]any)
	names := slices.Sorted(maps.Keys(rows))
	return names[:min(len(names), most)]
}
