# Children.
package consentry.minors

import data.consentry.consent
import data.consentry.facts

# Below the age of consent a guardian gives it (GDPR 8(1), PIPL 31, PIPA 22-2, Québec
# 4.1). Only consent is meant: what a contract needs, a child may be served with.
denials contains "guardian_consent_required" if {
	consent.needed
	not old_enough
	not by_guardian
}

# Some laws let marketing rest on notice; a young child is not addressed without a guardian even so (COPPA, 16 CFR
# 312.5, beside the CCPA). Sale has an age of its own, below.
denials contains "guardian_consent_required" if {
	facts.flag("marketing")
	facts.below(facts.law.minors.marketing_guardian_below)
	not data.consentry.sale.sold
	not guardian_agreed
}

guardian_agreed if {
	facts.granted
	by_guardian
}

old_enough if not facts.below(consent_age)

by_guardian if input.subject.consent.by == "guardian"

# One age for a law, or one per country of habitual residence.
consent_age := age if {
	age := facts.law.minors.consent_age
	is_number(age)
} else := object.get(ages, input.subject.country, ages["default"]) if {
	ages := facts.law.minors.consent_age
	is_object(ages)
} else := 18

# No marketing by profile to minors: DSA 28(2) on platforms, the Chinese regulation on
# minors online 24(3), ECA Digital in Brazil. A purpose is meant when it bears all the flags.
denials contains "minor_marketing_prohibited" if {
	ban := facts.law.minors.marketing_ban
	facts.below(ban.below)
	every flag in ban.flags {
		facts.flag(flag)
	}
}

# Data of a child is sold or shared only after opting in (CCPA 1798.120(c)): by the
# child from 13, by a parent before.
denials contains "minor_opt_in_required" if {
	facts.below(facts.law.sale.opt_in_below)
	data.consentry.sale.sold
	not opted_in
}

opted_in if {
	facts.granted
	not facts.below(facts.law.sale.guardian_below)
}

opted_in if guardian_agreed
