# Is consent needed, does it stand, and was it given on a text that still holds?
package consentry.consent

import data.consentry.facts

needed if facts.basis == "consent"

needed if not facts.basis

# Electronic marketing needs an opt-in besides the basis (ePrivacy 13(1), Advertising
# Law of China 43), unless the contact came with a sale and the law allows that (13(2)).
needed if {
	facts.flag("marketing")
	facts.purpose.channel in facts.law.electronic_opt_in.channels
	not soft_opt_in
}

soft_opt_in if {
	facts.law.electronic_opt_in.soft_opt_in
	input.subject.soft_opt_in == true
	facts.basis != "consent"
}

# Some laws ask for consent where data goes to a third party, whatever the basis.
needed if {
	facts.third_party
	facts.law.third_party.needs == "consent"
	not facts.basis in facts.law.third_party.lifted_by
}

denials contains status_reason if {
	needed
	not facts.granted
}

status_reason := object.get(reasons, input.subject.consent.status, "consent_missing")

reasons := {
	"none": "consent_missing",
	"pending": "consent_pending",
	"denied": "consent_denied",
	"withdrawn": "consent_withdrawn",
	"expired": "consent_expired",
}

# A change of purpose, manner or type of data asks for a new consent (PIPL 14(2), GDPR
# R32): one given on an older text does not cover it.
denials contains "notice_outdated" if {
	needed
	facts.granted
	not notice_current
}

notice_current if input.subject.consent.notice_version >= facts.purpose.minimum_notice_version
