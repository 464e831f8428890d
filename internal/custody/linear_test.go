package custody_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// consents is the model of one subject's consent for one purpose. The input is an action, or "read"; the
// output what the call said. A grant answers with where it left the subject: withdrawn, if it
// lost to a withdrawal that was dated later.
var consents = porcupine.Model{
	Init: func() any { return "missing" },
	Step: func(state, input, output any) (bool, any) {
		switch input {
		case "grant":
			return output == "granted" || output == "withdrawn" && state == "withdrawn", output
		case "withdraw":
			return output == "withdrawn", output
		default:
			return output == state, state
		}
	},
	Equal: func(a, b any) bool { return a == b },
}

// Over two services on one database, every read sees what the last call left that had returned, and no
// more than one order of all calls explains every answer.
func TestConsentIsLinearizable(t *testing.T) {
	t.Parallel()
	one := setup(t)
	two := one.another()
	id := one.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	const clients, calls = 6, 12
	var mu sync.Mutex
	var history []porcupine.Operation
	began := time.Now()
	var all sync.WaitGroup
	for c := range clients {
		v := []*vault{one, two}[c%2]
		all.Go(func() {
			for n := range calls {
				action := []string{"read", "grant", "read", "withdraw"}[(c+n)%4]
				called := time.Since(began)
				said, err := act(v, id, action)
				returned := time.Since(began)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: c, Input: action, Call: called.Nanoseconds(), Output: said, Return: returned.Nanoseconds()})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if result := porcupine.CheckOperationsTimeout(consents, history, 20*time.Second); result != porcupine.Ok {
		t.Errorf("no order of the calls explains the answers: %s", result)
	}
	// The model can tell: a read that sees what a withdrawal had ended is no history of it.
	at := time.Since(began).Nanoseconds()
	stale := append(history, porcupine.Operation{ClientId: clients, Input: "withdraw", Call: at, Output: "withdrawn", Return: at + 1},
		porcupine.Operation{ClientId: clients, Input: "read", Call: at + 2, Output: "granted", Return: at + 3})
	if porcupine.CheckOperations(consents, stale) {
		t.Error("a stale read passes")
	}
}

func act(v *vault, id privacy.SubjectID, action string) (string, error) {
	if action == "read" {
		answers, err := v.ask([]privacy.AttributeName{"given_name"}, id)
		if err != nil {
			return "", err
		}
		if said, withheld := strings.CutPrefix(answers[0]["given_name"], "!consent_"); withheld {
			return said, nil
		}
		return "granted", nil
	}
	recorded, err := v.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ConsentAction(action)}, custody.Once{})
	return string(recorded.Status), err
}
