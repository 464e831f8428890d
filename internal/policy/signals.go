package policy

import (
	"encoding/json"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
)

// Signals gives what privacy signals mean by a revision. ok is false for a revision that does not say, as those
// from before signals were read.
func (e *Engine) Signals(id privacy.RevisionID) (rules signal.Rules, ok bool) {
	ready, err := e.revision(id)
	if err != nil || ready.tables.signals == nil {
		return signal.Rules{}, false
	}
	return *ready.tables.signals, true
}

// Heeding lists the purposes on which a signal can bear by some law, of those that a revision has: an opt-out on
// marketing, on advertising across contexts, and on what a third party is given data for (policies/sale.rego,
// objection.rego); a request to limit the use of sensitive data on all but those that are exempt (sensitive.rego).
func (e *Engine) Heeding(id privacy.RevisionID, optOut, limit bool) []privacy.PurposeName {
	ready, err := e.revision(id)
	if err != nil {
		return nil
	}
	sold := make(map[privacy.PurposeName]bool)
	for client, purposes := range ready.tables.granted {
		if recipient := ready.tables.clients[client].Recipient; recipient != recipientOwn && recipient != recipientProcessor {
			for _, purpose := range purposes {
				sold[purpose] = true
			}
		}
	}
	var heeding []privacy.PurposeName
	for name, purpose := range ready.tables.purposes {
		if limit && !purpose.LimitExempt || optOut && (purpose.Marketing || purpose.CrossContext || sold[name]) {
			heeding = append(heeding, name)
		}
	}
	slices.Sort(heeding)
	return heeding
}

// readSignals reads the table signals, and checks that it speaks of purposes and laws the revision has.
func readSignals(document any, t *tables) error {
	if document == nil {
		return nil
	}
	content, err := json.Marshal(document)
	if err != nil {
		return err
	}
	rules, err := signal.ParseRules(content)
	if err != nil {
		return err
	}
	for purpose := range rules.TCF.Purposes {
		if _, known := t.purposes[purpose]; !known {
			return errSignalsName
		}
	}
	for _, regime := range rules.TCF.Regimes {
		if _, known := t.regimes.Laws[regime]; !known {
			return errSignalsName
		}
	}
	t.signals = &rules
	return nil
}

var errSignalsName = privacy.Invalid("invalid_signals", "the policy's data on signals names a purpose or a law that the policy does not have")
