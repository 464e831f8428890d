package consentry.minors_test

import data.consentry.minors

test_ages_of_consent if {
	cases := [
		{"regime": "gdpr", "country": "DE", "age": 16}, {"regime": "gdpr", "country": "FR", "age": 15},
		{"regime": "gdpr", "country": "AT", "age": 14}, {"regime": "gdpr", "country": "SE", "age": 13},
		{"regime": "gdpr", "country": "DK", "age": 15}, {"regime": "gdpr", "country": "", "age": 16},
		{"regime": "gdpr", "country": "US", "age": 16}, {"regime": "uk_gdpr", "country": "GB", "age": 13},
		{"regime": "pipl", "country": "CN", "age": 14}, {"regime": "pipa", "country": "KR", "age": 14},
		{"regime": "quebec25", "country": "CA", "age": 14}, {"regime": "pdpa", "country": "SG", "age": 13},
		{"regime": "default", "country": "", "age": 16},
	]
	every case in cases {
		minors.consent_age == case.age with input as {"subject": {"regime": case.regime, "country": case.country}}
	}
}

test_no_age_in_the_table_is_eighteen if {
	minors.consent_age == 18 with input as {"subject": {"regime": "x", "country": ""}}
		with data.regimes.laws.x as {"minors": {}}
}
