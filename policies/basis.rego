# Is the basis of the purpose one that the law of the subject knows? PIPL has no
# legitimate interest; recognised legitimate interests (UK) are never marketing.
package consentry.basis

import data.consentry.facts

denials contains "basis_not_available" if not available

available if {
	conditions := facts.law.bases[facts.basis]
	every flag in object.get(conditions, "never_for", []) {
		not facts.flag(flag)
	}
}
