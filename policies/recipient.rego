# Release to somebody who decides on their own what to do with the data (PIPL 23,
# LGPD 7 §5, PIPA 17). Processors under contract are not meant (PIPL 21).
#
# Where a law asks for consent but not for a separate one, consent.rego says so.
package consentry.recipient

import data.consentry.facts

denials contains "third_party_needs_separate_consent" if {
	facts.third_party
	facts.law.third_party.needs == "separate"
	not facts.basis in facts.law.third_party.lifted_by
	not facts.separate("third_party")
}
