# Objections: what a subject has said no to where no consent was asked, or since.
#
# A newer consent lifts an objection; the input already takes that into account.
package consentry.objection

import data.consentry.consent
import data.consentry.facts

# Marketing and the profiling that goes with it stop on any basis (GDPR 21(2)–(3),
# PIPL 24); the tables say what else does.
denials contains "objected" if {
	input.subject.objected != false
	some flag in facts.law.objection.always
	facts.flag(flag)
}

# Other objections reach only some bases (GDPR 21(1)), and not legal claims.
denials contains "objected" if {
	input.subject.objected != false
	facts.basis in facts.law.objection.bases
	not facts.flag("legal_claims")
}

# A browser's opt-out signal is read as an objection by automated means (GDPR 21(5)) to
# marketing on these bases. It is never a withdrawal of consent.
denials contains "objected" if {
	input.subject.opt_out_signal != false
	facts.flag("marketing")
	facts.basis in facts.law.objection.signal_bases
}

# Where the basis is to inform and let people refuse, a refusal on record is a refusal.
denials contains consent.status_reason if {
	facts.basis in {"notice", "legitimate_interest"}
	input.subject.consent.status in {"denied", "withdrawn"}
	not facts.flag("legal_claims")
}
