package consentry.facts_test

import data.consentry.facts

test_a_law_without_a_row_is_the_strictest if {
	facts.regime == "default" with input as {"subject": {"regime": "elsewhere"}}
	facts.regime == "pipl" with input as {"subject": {"regime": "pipl"}}
	not facts.regime with input as {"subject": {"regime": ""}}
	not facts.regime with input as {"subject": {"regime": 7}}
	not facts.regime with input as {"subject": {}}
}

test_bases_differ_by_law if {
	facts.basis == "notice" with input as {"purpose": "marketing.email", "subject": {"regime": "ccpa"}}
	facts.basis == "consent" with input as {"purpose": "marketing.email", "subject": {"regime": "gdpr"}}
}

test_sources_are_followed_to_the_end if {
	catalogue := {
		"a": {"derived_from": ["b"]},
		"b": {"derived_from": ["c", "a"]},
		"c": {},
		"d": {},
	}
	facts.sources.a == {"a", "b", "c"} with input as {"attributes": ["a"]}
		with data.attributes as catalogue
	facts.sources.d == {"d"} with input as {"attributes": ["d"]}
		with data.attributes as catalogue
}

test_an_attribute_without_a_class_is_sensitive if {
	facts.sensitive == {"a"} with input as {"attributes": ["a", "b"]}
		with data.attributes as {"a": {}, "b": {"classification": "public"}}
}

test_a_recipient_of_no_kind_is_a_third_party if {
	facts.third_party with input as {"caller": {"client": "x"}}
		with data.clients.x as {"country": "DE"}
	not facts.third_party with input as {"caller": {"client": "x"}}
		with data.clients.x as {"recipient": "processor"}
}
