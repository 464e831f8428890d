# Data that is kept but may not be used.
#
# Storage only: erasure was due, but a duty to retain stands against it (PIPL 47(2)).
# Restricted: GDPR 18(2), PIPL 44, LGPD 18 IV; legal claims may go on. A consent newer
# than the restriction lifts it, which the input already takes into account.
package consentry.restriction

import data.consentry.facts

denials contains "storage_only" if input.subject.storage_only != false

denials contains "restricted" if {
	input.subject.restricted != false
	not facts.flag("legal_claims")
}
