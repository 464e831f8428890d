# Decisions without a human that bear on somebody's rights: GDPR 22, UK GDPR 22A–22D.
package consentry.automation

import data.consentry.facts

denials contains "automated_decision_not_allowed" if {
	facts.flag("automated_decision")
	not satisfied("bases")
}

# Sensitive data in such a decision needs more (GDPR 22(4)).
denials_of["automated_decision_not_allowed"] := facts.sensitive if {
	facts.flag("automated_decision")
	not by_condition
	not satisfied("sensitive_bases")
}

by_condition if facts.purpose.sensitive_condition in facts.law.automated.sensitive_conditions

satisfied(column) if {
	every requirement in facts.law.automated[column][facts.basis] {
		facts.met(requirement)
	}
}
