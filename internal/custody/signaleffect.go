package custody

import (
	"slices"
	"time"

	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/store"
)

// What a signal means for one subject, where they stand now; package signal says by which precedence.

// apply gives the effects of a signal, with the standing changed and the consents on the ledger.
func (w *signalWrite) apply(reading signal.Reading) ([]privacy.SignalEffect, error) {
	effects := flagEffects(reading.Flags, w.ledger.Standing, w.ledger.States, w.at)
	w.ledger.Standing = w.ledger.Standing.Signalled(effects)
	for _, choice := range reading.Choices {
		effect := choiceEffect(choice, w.ledger.Standing, w.ledger.States, w.at)
		if effect.Outcome == privacy.OutcomeApplied && choice.Action == privacy.ActionGrant && w.mustConfirm(choice.Purpose) {
			effect.Outcome = privacy.OutcomeUnconfirmed
		}
		if effect.Outcome == privacy.OutcomeApplied {
			if err := w.choose(choice); err != nil {
				return nil, err
			}
		}
		effects = append(effects, effect)
	}
	if reading.Unmet != "" {
		effects = append(effects, privacy.SignalEffect{Effect: privacy.EffectNone, Outcome: privacy.EffectOutcome(reading.Unmet)})
	}
	if len(effects) == 0 {
		effects = append(effects, privacy.SignalEffect{Effect: privacy.EffectNone, Outcome: privacy.OutcomeNothingSaid})
	}
	return effects, nil
}

// mustConfirm reports whether grants for a purpose have to be confirmed by whoever holds the address. A TC string shows that somebody
// has clicked in some browser: it is no proof that this person consented (GDPR Art. 7(1)), and so it does not count there, nor is
// anybody written to because of it.
func (w *signalWrite) mustConfirm(name privacy.PurposeName) bool {
	purpose, _ := w.service.policy.Purpose(w.revision, name)
	return purpose.DoubleOptIn != ""
}

// choose puts a consent or refusal by TC string on the ledger.
func (w *signalWrite) choose(choice signal.Choice) error {
	record, err := w.service.consentRecord(w.caller, &Consent{Purpose: choice.Purpose, Action: choice.Action, Method: methodTCF, OccurredAt: choice.At, ExpiresAt: choice.Expires}, w.at)
	if err != nil {
		return err
	}
	w.ledger.Append(&w.writes, record)
	w.drafts = append(w.drafts, recordDraft(w.caller, w.ledger.ID, record))
	return nil
}

// flagEffects dates flags by when they are received, or by the newest record if that is dated later: an explicit choice on
// the ledger was made before the signal came, whatever its clock said. Where a flag stands, and no newer choice lifts it for any
// purpose, nothing changes.
func flagEffects(flags []signal.Flag, standing privacy.Standing, states []store.ConsentState, now time.Time) []privacy.SignalEffect {
	var effects []privacy.SignalEffect
	for _, flag := range flags {
		effect := privacy.SignalEffect{Effect: privacy.EffectKind(flag), Outcome: privacy.OutcomeUnchanged}
		var lifted func(privacy.GivenConsent) bool
		switch flag {
		case signal.FlagOptOut:
			effect.At, lifted = standing.OptOutSignal, func(c privacy.GivenConsent) bool { return !standing.OptedOut(c) }
		case signal.FlagLimitSensitive:
			effect.At, lifted = standing.LimitSensitive, func(c privacy.GivenConsent) bool { return !standing.LimitedSensitive(c) }
		}
		if effect.At.IsZero() || slices.ContainsFunc(states, func(state store.ConsentState) bool { return lifted(ledger.Given(state, now)) }) {
			effect.Outcome, effect.At = privacy.OutcomeApplied, ledger.Latest(states, privacy.ScopeEverything, now)
		}
		effects = append(effects, effect)
	}
	return effects
}

// choiceEffect says what becomes of a consent or refusal by TC string.
func choiceEffect(choice signal.Choice, standing privacy.Standing, states []store.ConsentState, now time.Time) privacy.SignalEffect {
	var current *store.ConsentState
	if i := slices.IndexFunc(states, func(s store.ConsentState) bool { return s.Purpose == choice.Purpose }); i >= 0 {
		current = &states[i]
	}
	effect := privacy.SignalEffect{Effect: privacy.EffectDeny, Purpose: choice.Purpose, At: choice.At}
	if choice.Action == privacy.ActionGrant {
		effect.Effect = privacy.EffectGrant
		effect.Outcome = grantOutcome(choice, standing, current, now)
	} else {
		effect.Outcome = denyOutcome(choice, current)
	}
	return effect
}

// grantOutcome: a consent by TC string counts only when it is newer than all that was said about the purpose. It does not take the place
// of a consent that says more than it can: an explicit one, one with separate scopes or a notice, or that of a guardian.
func grantOutcome(choice signal.Choice, standing privacy.Standing, current *store.ConsentState, now time.Time) privacy.EffectOutcome {
	given := privacy.GivenConsent{Status: privacy.ConsentGranted, At: choice.At}
	switch {
	case standing.Objected(choice.Purpose, given):
		return privacy.OutcomeSuperseded
	case current == nil:
		return privacy.OutcomeApplied
	case current.Status == privacy.ConsentPending || choice.At.Before(current.OccurredAt):
		return privacy.OutcomeSuperseded
	case current.Status != privacy.ConsentGranted && choice.At.Equal(current.OccurredAt):
		return privacy.OutcomeSuperseded
	case current.Status == privacy.ConsentGranted && (choice.At.Equal(current.OccurredAt) || saysMore(current) && ledger.Given(*current, now).Status == privacy.ConsentGranted):
		return privacy.OutcomeUnchanged
	default:
		return privacy.OutcomeApplied
	}
}

func saysMore(c *store.ConsentState) bool {
	return c.Explicit || len(c.SeparateFor) > 0 || c.By == privacy.ByGuardian || c.Notice.ID != ""
}

func denyOutcome(choice signal.Choice, current *store.ConsentState) privacy.EffectOutcome {
	switch {
	case current == nil:
		return privacy.OutcomeApplied
	case current.OccurredAt.After(choice.At):
		return privacy.OutcomeSuperseded
	case current.Status == privacy.ConsentDenied || current.Status == privacy.ConsentWithdrawn:
		return privacy.OutcomeUnchanged
	default:
		return privacy.OutcomeApplied
	}
}

func anyApplied(effects []privacy.SignalEffect) bool {
	return slices.ContainsFunc(effects, func(e privacy.SignalEffect) bool { return e.Outcome == privacy.OutcomeApplied })
}
