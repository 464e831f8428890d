package consentry.disclosure_test

import data.consentry.disclosure

# An adult in Germany whose consent to marketing by email stands, and a catalogue of three.
consenting := {
	"caller": {"client": "crm-mailer", "roles": ["consumer"]},
	"purpose": "marketing.email",
	"attributes": ["city", "email", "religion"],
	"subject": {
		"regime": "gdpr", "country": "DE", "age_band": "18+",
		"restricted": false, "storage_only": false, "objected": false,
		"opt_out_signal": false, "limit_sensitive": false, "soft_opt_in": false,
		"consent": {"status": "granted", "notice_version": 3, "explicit": false, "separate_for": [], "by": "self"},
	},
}

catalogue := {
	"city": {"classification": "personal"},
	"email": {"classification": "personal"},
	"religion": {"classification": "sensitive"},
	"reach": {"classification": "internal", "derived_from": ["city", "religion"]},
}

test_each_attribute_has_its_own_answer if {
	disclosure.decision == {
		"permitted": {"city": "generalise", "email": "plain"},
		"withheld": {"religion": "sensitive_needs_explicit_consent"},
	} with input as consenting
		with data.attributes as catalogue
		with data.matrix as cells
}

# What an officer makes of the matrix does not matter here.
cells := {"city": {"marketing.email": "generalise"}, "email": {"marketing.email": "plain"}}

test_first_reason_wins if {
	worst := json.patch(consenting, [
		{"op": "replace", "path": "/subject/restricted", "value": true},
		{"op": "replace", "path": "/subject/objected", "value": true},
		{"op": "replace", "path": "/subject/consent/status", "value": "withdrawn"},
	])
	every reason in disclosure.decision.withheld {
		reason == "restricted"
	} with input as worst
		with data.attributes as catalogue
	disclosure.decision.permitted == {} with input as worst
		with data.attributes as catalogue
}

test_no_field_may_be_missing if {
	every path in [
		"/caller/client", "/purpose", "/subject", "/subject/regime", "/subject/country", "/subject/age_band",
		"/subject/restricted", "/subject/storage_only", "/subject/objected", "/subject/opt_out_signal",
		"/subject/limit_sensitive", "/subject/soft_opt_in", "/subject/consent", "/subject/consent/status",
		"/subject/consent/notice_version", "/subject/consent/explicit", "/subject/consent/separate_for",
		"/subject/consent/by",
	] {
		incomplete := json.patch(consenting, [{"op": "remove", "path": path}])
		disclosure.decision.permitted == {} with input as incomplete
			with data.attributes as catalogue
		disclosure.decision.withheld.email == "policy_error" with input as incomplete
			with data.attributes as catalogue
	}
}

test_no_field_may_be_of_another_type if {
	every path in [
		"/subject/regime", "/subject/country", "/subject/age_band", "/subject/restricted", "/subject/storage_only",
		"/subject/objected", "/subject/consent/status", "/subject/consent/notice_version",
		"/subject/consent/explicit", "/subject/consent/separate_for",
	] {
		every value in [null, [[]], {"a": 1}] {
			odd := json.patch(consenting, [{"op": "replace", "path": path, "value": value}])
			disclosure.decision.permitted == {} with input as odd
				with data.attributes as catalogue
		}
	}
}

# No column of a law's row may be missing either: a gap in a table is not a permission.
test_no_column_of_a_law_may_be_missing if {
	columns := object.keys(data.regimes.laws.gdpr) - {"title"}
	every column in columns {
		law := object.remove(data.regimes.laws.gdpr, [column])
		disclosure.decision.permitted == {} with input as consenting
			with data.attributes as catalogue
			with data.regimes.laws.gdpr as law
	}
}

test_tables_of_another_shape_permit_nothing if {
	every path in [
		"/regimes/laws/gdpr/sensitive/bases/consent", "/regimes/laws/gdpr/sensitive/attributes",
		"/regimes/laws/gdpr/objection/always", "/regimes/laws/gdpr/third_party/needs", "/regimes/laws/gdpr/electronic_opt_in/channels",
		"/purposes/marketing.email/marketing", "/purposes/marketing.email/minimum_notice_version",
		"/purposes/marketing.email/aggregates_only", "/purposes/marketing.email/basis",
	] {
		tables := json.patch({"regimes": data.regimes, "purposes": data.purposes}, [{"op": "add", "path": path, "value": "odd"}])
		disclosure.decision.permitted == {} with input as consenting
			with data.attributes as catalogue
			with data.regimes as tables.regimes
			with data.purposes as tables.purposes
	}
}

test_derived_data_inherits if {
	asked := json.patch(consenting, [{"op": "replace", "path": "/attributes", "value": ["reach"]}])
	disclosure.decision.withheld == {"reach": "sensitive_needs_explicit_consent"} with input as asked
		with data.attributes as catalogue
		with data.matrix.reach as {"marketing.email": "plain"}
		with data.matrix.religion as {"marketing.email": "plain"}
}

test_ranking_names_no_reason_twice if {
	count(disclosure.ranking) == count({reason | some reason in disclosure.ranking})
}

test_a_reason_without_a_rank_is_no_decision if {
	not disclosure.decision with input as consenting
		with data.attributes as catalogue
		with data.consentry.sensitive.denials_of as {"no_such_reason": {"religion"}}
	disclosure.decision with input as consenting
		with data.attributes as catalogue
		with data.consentry.sensitive.denials_of as {"sensitive_use_limited": {"religion"}}
}
