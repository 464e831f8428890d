# What sensitive data needs besides a legal basis: GDPR 9(2), PIPL 28–29, LGPD 11, and
# the right to limit its use, CCPA 1798.121.
package consentry.sensitive

import data.consentry.consent
import data.consentry.facts

denials_of["sensitive_use_limited"] := facts.sensitive if {
	facts.law.limit_sensitive
	input.subject.limit_sensitive != false
	not facts.flag("limit_exempt")
}

denials_of[reason] := facts.sensitive if {
	not by_condition
	some reason in unmet
}

# A condition of the law's list that the purpose names takes the place of consent, such
# as 9(2)(f), legal claims.
by_condition if facts.purpose.sensitive_condition in facts.law.sensitive.conditions

unmet contains "basis_excluded_for_sensitive" if not facts.law.sensitive.bases[facts.basis]

unmet contains reason_for[requirement] if {
	some requirement in facts.law.sensitive.bases[facts.basis]
	not facts.met(requirement)
}

reason_for := {
	"explicit": "sensitive_needs_explicit_consent",
	"separate": "sensitive_needs_separate_consent",
	"necessity": "basis_excluded_for_sensitive",
	"consent": consent.status_reason,
}

# A requirement that no rule knows is never met.
unmet contains "basis_excluded_for_sensitive" if {
	some requirement in facts.law.sensitive.bases[facts.basis]
	not reason_for[requirement]
}
