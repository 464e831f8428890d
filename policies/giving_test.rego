package consentry.giving_test

import data.consentry.giving

state(country, age, by) := {"regime": "gdpr", "country": country, "age_band": age, "consent": {"status": "granted", "by": by}}

test_a_childs_own_word if {
	giving.denials == {"guardian_consent_required"} with input as {"purpose": "marketing.email", "subject": state("DE", "15", "self")}
	giving.denials == {"guardian_consent_required"} with input as {"purpose": "marketing.email", "subject": state("FR", "14", "self")}
}

test_old_enough if {
	count(giving.denials) == 0 with input as {"purpose": "marketing.email", "subject": state("FR", "15", "self")}
	count(giving.denials) == 0 with input as {"purpose": "marketing.email", "subject": state("DE", "16-17", "self")}
}

test_a_guardians_word if {
	count(giving.denials) == 0 with input as {"purpose": "marketing.email", "subject": state("DE", "0-12", "guardian")}
}

# As at decisions, somebody of unknown age counts as an adult where children are not likely.
test_unknown_age if {
	count(giving.denials) == 0 with input as {"purpose": "marketing.email", "subject": state("DE", "unknown", "self")}
	giving.denials == {"guardian_consent_required"} with input as {"purpose": "games", "subject": state("DE", "unknown", "self")}
		with data.purposes as {"games": {"children_likely": true}}
}
