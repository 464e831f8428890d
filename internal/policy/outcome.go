package policy

import (
	"maps"

	"github.com/consentry/consentry/internal/privacy"
)

// denyAll withholds every asked attribute for one reason.
func denyAll(asked []privacy.AttributeName, reason privacy.Reason) privacy.Outcome {
	outcome := privacy.Outcome{
		Permitted: map[privacy.AttributeName]privacy.Mode{},
		Withheld:  make(map[privacy.AttributeName]privacy.Reason, len(asked)),
	}
	for _, attribute := range asked {
		outcome.Withheld[attribute] = reason
	}
	return outcome
}

// readOutcome takes what the policy answered. Anything but an object that puts each asked
// attribute, and no other, into exactly one of two maps, with a mode that releases
// or a reason of the closed list, is no outcome.
func readOutcome(answer any, asked []privacy.AttributeName) (privacy.Outcome, bool) {
	decision, ok := answer.(map[string]any)
	if !ok || len(decision) != 2 {
		return privacy.Outcome{}, false
	}
	permitted, okPermitted := decision["permitted"].(map[string]any)
	withheld, okWithheld := decision["withheld"].(map[string]any)
	if !okPermitted || !okWithheld || len(permitted)+len(withheld) != len(asked) {
		return privacy.Outcome{}, false
	}
	outcome := privacy.Outcome{
		Permitted: make(map[privacy.AttributeName]privacy.Mode, len(permitted)),
		Withheld:  make(map[privacy.AttributeName]privacy.Reason, len(withheld)),
	}
	for _, attribute := range asked {
		mode, isPermitted := permitted[string(attribute)]
		reason, isWithheld := withheld[string(attribute)]
		switch {
		case isPermitted && !isWithheld:
			text, _ := mode.(string)
			if !privacy.Mode(text).Releases() {
				return privacy.Outcome{}, false
			}
			outcome.Permitted[attribute] = privacy.Mode(text)
		case isWithheld && !isPermitted:
			text, _ := reason.(string)
			if !privacy.Reason(text).Valid() {
				return privacy.Outcome{}, false
			}
			outcome.Withheld[attribute] = privacy.Reason(text)
		default:
			return privacy.Outcome{}, false
		}
	}
	return outcome, true
}

func cloneOutcome(outcome privacy.Outcome) privacy.Outcome {
	return privacy.Outcome{Permitted: maps.Clone(outcome.Permitted), Withheld: maps.Clone(outcome.Withheld)}
}
