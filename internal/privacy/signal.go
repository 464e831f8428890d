package privacy

import "time"

// SignalKind says what sort of privacy signal was received.
type SignalKind string

// The kinds of signals.
const (
	SignalGPC SignalKind = "gpc" // Global Privacy Control, by header or field
	SignalTCF SignalKind = "tcf" // a TC string of IAB Europe
	SignalGPP SignalKind = "gpp" // a string of the Global Privacy Platform
)

// SignalEffect is what a signal means for a subject, and what became of it. Its JSON form is what the database keeps.
type SignalEffect struct {
	Effect  EffectKind    `json:"effect"`
	Purpose PurposeName   `json:"purpose,omitempty"` // of a grant or denial
	Outcome EffectOutcome `json:"outcome"`
	At      time.Time     `json:"at,omitzero"` // as of when it counts
}

// EffectKind says what a signal means: a flag on the subject, a choice about a purpose, or nothing.
type EffectKind string

// The kinds of effects.
const (
	EffectOptOut         EffectKind = "opt_out_signal"
	EffectLimitSensitive EffectKind = "limit_sensitive"
	EffectGrant          EffectKind = "grant"
	EffectDeny           EffectKind = "deny"
	EffectNone           EffectKind = "none"
)

// EffectOutcome says what became of an effect; of none, why there is none.
type EffectOutcome string

// The outcomes of effects. Of none they are conditions that a TC string does not meet, or nothing_said.
const (
	OutcomeApplied     EffectOutcome = "applied"
	OutcomeUnchanged   EffectOutcome = "unchanged"          // it was so already
	OutcomeSuperseded  EffectOutcome = "superseded"         // something on the ledger is newer
	OutcomeUnconfirmed EffectOutcome = "needs_confirmation" // the purpose wants grants confirmed at the person's address
	OutcomeNothingSaid EffectOutcome = "nothing_said"
)

// OptOut gives the standing after an opt-out of sale and sharing was received. An earlier one changes nothing.
func (s Standing) OptOut(at time.Time) Standing {
	if at.After(s.OptOutSignal) {
		s.OptOutSignal = at
	}
	return s
}

// Limit gives the standing after a request to limit the use of sensitive data. An earlier one changes nothing.
func (s Standing) Limit(at time.Time) Standing {
	if at.After(s.LimitSensitive) {
		s.LimitSensitive = at
	}
	return s
}

// Signalled gives the standing after the effects of a signal, which is all that a standing takes from it: folded over the signals
// of a subject, in any order, it gives their flags.
func (s Standing) Signalled(effects []SignalEffect) Standing {
	for _, effect := range effects {
		switch effect.Effect {
		case EffectOptOut:
			s = s.OptOut(effect.At)
		case EffectLimitSensitive:
			s = s.Limit(effect.At)
		}
	}
	return s
}
