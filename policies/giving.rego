# May a consent be put on the ledger the way it was given? Asked before it is, with the subject's state as it
# would be after; whatever it lets pass is asked about again at every decision.
package consentry.giving

import data.consentry.minors

# A child's own word is no consent (GDPR 8(1), PIPL 31, PIPA 22-2, Québec 4.1), whatever else the purpose rests on.
denials contains "guardian_consent_required" if {
	not minors.old_enough
	not minors.by_guardian
}
