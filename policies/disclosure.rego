# The decision on a disclosure: which attributes may be released, in which mode, and
# why the others may not.
#
# Each module collects every reason it has, against the whole request (denials) or against
# some attributes (denials_of); the list below ranks them, and the first is given. So the
# answer does not depend on the order of evaluation, and a module can be read on its own.
#
# Modules speak of sets of attributes rather than of one at a time: whatever a request asks
# for, the law is asked once.
package consentry.disclosure

import data.consentry.automation
import data.consentry.basis
import data.consentry.consent
import data.consentry.facts
import data.consentry.matrix
import data.consentry.minors
import data.consentry.objection
import data.consentry.recipient
import data.consentry.request
import data.consentry.restriction
import data.consentry.sale
import data.consentry.sensitive
import data.consentry.transfer

# A reason without a rank cannot be given, so then there is no decision.
decision := {"permitted": permitted, "withheld": withheld} if count(ranked) == count(found)

permitted := {} if {
	count(general) > 0
} else := object.filter(matrix.modes, facts.asked - union({against(reason) | some reason in found}))

# Of the reasons against an attribute the first in rank is given.
withheld := object.union_n(array.reverse([{attribute: reason | some attribute in against(reason)} | some reason in given]))

# Whatever comes after a reason that holds for the whole request is given to nobody.
given := array.slice(ranked, 0, 1 + min({i | some i, reason in ranked; reason in general} | {count(ranked)}))

ranked := [reason | some reason in ranking; reason in found]

found := general | {reason | some denials in own; some reason, attributes in denials; count(attributes) > 0}

# Reasons that hold for the whole request.
general := union({
	request.denials,
	restriction.denials,
	minors.denials,
	objection.denials,
	sale.denials,
	basis.denials,
	consent.denials,
	recipient.denials,
	automation.denials,
})

# Reasons that hold for some attributes: by the reason, the attributes.
own := [request.denials_of, sensitive.denials_of, transfer.denials_of, automation.denials_of, matrix.denials_of]

# The asked attributes that a reason stands against. What is computed from others is usable only where
# all its sources are.
against(reason) := facts.asked if {
	reason in general
} else := facts.asked & (named | heirs) if {
	named := union({denials[reason] | some denials in own})
	heirs := {attribute | some attribute in facts.derived; count(facts.sources[attribute] & named) > 0}
}

# The order in which reasons are given.
ranking := [
	"policy_error",
	"unknown_purpose",
	"unknown_attribute",
	"unknown_regime",
	"purpose_not_granted",
	"storage_only",
	"restricted",
	"guardian_consent_required",
	"minor_marketing_prohibited",
	"minor_opt_in_required",
	"objected",
	"opted_out_of_sale",
	"sensitive_use_limited",
	"basis_not_available",
	"consent_missing",
	"consent_pending",
	"consent_denied",
	"consent_withdrawn",
	"consent_expired",
	"notice_outdated",
	"sensitive_needs_explicit_consent",
	"sensitive_needs_separate_consent",
	"basis_excluded_for_sensitive",
	"third_party_needs_separate_consent",
	"transfer_needs_separate_consent",
	"transfer_not_allowed",
	"automated_decision_not_allowed",
	"not_permitted_for_purpose",
	"aggregate_only",
]
