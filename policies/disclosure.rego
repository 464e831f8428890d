# The decision on a disclosure: which attributes may be released, in which mode, and
# why the others may not.
#
# Each module collects every reason it has; the list below ranks them, and the first is
# given. So the answer does not depend on the order of evaluation, and a module can
# be read on its own.
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

decision := {"permitted": permitted, "withheld": withheld}

permitted[attribute] := matrix.mode(attribute) if {
	some attribute in facts.asked
	count(reasons[attribute]) == 0
}

withheld[attribute] := first if {
	some attribute in facts.asked
	found := reasons[attribute]
	count(found) > 0
	first := [reason | some reason in ranking; reason in found][0]
}

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

# Reasons of one attribute by itself.
own[attribute] := union({
	object.get(request.denials_of, attribute, set()),
	object.get(sensitive.denials_of, attribute, set()),
	object.get(transfer.denials_of, attribute, set()),
	object.get(automation.denials_of, attribute, set()),
	matrix.denials_of[attribute],
}) if {
	some attribute in facts.relevant
}

# What is computed from others is usable only where all its sources are.
reasons[attribute] := general | union({own[source] | some source in facts.sources[attribute]}) if {
	some attribute in facts.asked
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
