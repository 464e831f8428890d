# Is the question one that can be answered at all: well formed, about things the
# revision knows, from a client that was granted the purpose.
package consentry.request

import data.consentry.facts
import data.consentry.grants

denials contains "policy_error" if not well_formed

denials contains "policy_error" if {
	facts.purpose
	not purpose_complete
}

denials contains "policy_error" if {
	facts.regime
	not law_complete
}

denials contains "unknown_purpose" if not facts.purpose

denials contains "unknown_regime" if not facts.regime

denials contains "purpose_not_granted" if not granted

# What has a class is defined, so only the rest is looked at one by one.
denials_of["unknown_attribute"] := {attribute |
	some attribute in (facts.relevant - facts.ordinary)
	not known(attribute)
}

known(attribute) if is_object(data.attributes[attribute])

denials_of["policy_error"] := {attribute |
	some attribute, origins in facts.derivation
	not is_array(origins)
	attribute in facts.relevant
}

granted if grants.granted_to(facts.client, input.purpose)

# A state that lacks a field, or holds something else in it, permits nothing: most rules
# ask whether something stands against a release, and a gap must not answer no.
well_formed if {
	is_string(input.purpose)
	is_string(input.caller.client)
	is_array(input.attributes)
	subject_well_formed
	consent_well_formed
}

subject_well_formed if {
	subject := input.subject
	is_string(subject.regime)
	regex.match(`^([A-Z]{2})?$`, subject.country)
	subject.age_band in {"0-12", "13", "14", "15", "16-17", "18+", "unknown"}
	is_boolean(subject.restricted)
	is_boolean(subject.storage_only)
	is_boolean(subject.objected)
	is_boolean(subject.opt_out_signal)
	is_boolean(subject.limit_sensitive)
	is_boolean(subject.soft_opt_in)
}

consent_well_formed if {
	consent := input.subject.consent
	consent.status in {"none", "pending", "granted", "denied", "withdrawn", "expired"}
	is_number(consent.notice_version)
	is_boolean(consent.explicit)
	is_array(consent.separate_for)
	every scope in consent.separate_for {
		scope in {"third_party", "public", "public_image", "sensitive", "transfer"}
	}
	given_by_somebody
}

given_by_somebody if input.subject.consent.by in {"self", "guardian"}

given_by_somebody if input.subject.consent.status != "granted"

# The same holds for the tables: a row with a column missing permits nothing.
purpose_complete if {
	purpose := facts.purpose
	is_object(purpose.basis)
	is_number(purpose.minimum_notice_version)
	is_boolean(purpose.marketing)
	is_boolean(purpose.profiling)
	is_boolean(purpose.automated_decision)
	is_boolean(purpose.cross_context)
	is_boolean(purpose.online_platform)
	is_boolean(object.get(purpose, "children_likely", false))
	is_boolean(object.get(purpose, "foreign_authority", false))
	is_boolean(object.get(purpose, "aggregates_only", false))
}

law_complete if {
	law := facts.law
	is_object(law.bases)
	is_object(law.automated)
	is_boolean(law.limit_sensitive)
	is_array(law.electronic_opt_in.channels)
	is_boolean(law.electronic_opt_in.soft_opt_in)
	is_number(law.minors.sensitive_below)
	is_number(law.minors.marketing_guardian_below)
	is_number(law.minors.marketing_ban.below)
	is_array(law.minors.marketing_ban.flags)
	is_array(law.objection.always)
	is_array(law.objection.bases)
	is_array(law.objection.signal_bases)
	is_boolean(law.sale.opt_out)
	is_number(law.sale.opt_in_below)
	is_number(law.sale.guardian_below)
	is_array(law.sensitive.attributes)
	every _, requirements in law.sensitive.bases {
		is_array(requirements)
	}
	law.third_party.needs in {"nothing", "consent", "separate"}
	is_array(law.third_party.lifted_by)
	is_boolean(law.transfers.separate.needed)
	is_array(law.transfers.separate.lifted_by)
}
