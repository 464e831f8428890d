# Recipients abroad: GDPR 44–49, PIPL 38–41 with the 2024 provisions on volumes, and
# their like.
package consentry.transfer

import data.consentry.facts

table := facts.law.transfers

denials_of["transfer_needs_separate_consent"] := facts.relevant if {
	not domestic
	table.separate.needed
	not facts.basis in table.separate.lifted_by
	not facts.separate("transfer")
}

denials_of["transfer_not_allowed"] := facts.relevant if {
	turned_away
} else := stopped if {
	not domestic
	count(stopped) > 0
}

# Some laws are stricter about sensitive data, and none about one attribute by itself.
stopped := union({attributes |
	some class, attributes in {"sensitive": facts.sensitive, "personal": facts.relevant - facts.sensitive}
	not allowed(class)
})

# A foreign court or authority gets nothing on its own word (GDPR 48, PIPL 41),
# wherever it sits and whatever else would permit the transfer.
turned_away if {
	facts.flag("foreign_authority")
	not authority_admitted
}

authority_admitted if facts.client.mechanism in table.foreign_authority

# A client whose country is "local" runs beside the data, in the subject's own country.
domestic if facts.client.country == "local"

domestic if {
	table.home
	every name, value in table.home {
		facts.client[name] == value
	}
}

domestic if {
	not table.home
	facts.client.country == input.subject.country
}

# A barred country has no way in; elsewhere one way is enough.
allowed(class) if {
	is_string(facts.client.country)
	not facts.client.country in table.barred
	way(class)
}

way(_) if table.open

way(_) if facts.client.country in table.free

# A recipient certified under its country's framework (EU–US Data Privacy Framework).
way(_) if {
	facts.client.country in table.certified
	facts.client.dpf == true
}

way(_) if facts.client.mechanism in table.mechanisms

# What the purpose cannot do without, such as booking a hotel abroad.
way(_) if facts.purpose.transfer_exemption in table.exemptions

way(_) if {
	table.separate.suffices
	facts.separate("transfer")
}

way(class) if by_volume(class)

# China counts the persons whose data an exporter sent abroad since 1 January: few enough
# are exempt, more need a contract or certificate, many a security assessment. A missing
# count is more than any threshold, and an operator of critical information infrastructure
# is always assessed.
by_volume(class) if {
	facts.client.ciio == false
	count_of(class) < table.thresholds[class].exempt_below
}

by_volume(class) if {
	facts.client.ciio == false
	count_of(class) < table.thresholds[class].assessment_from
	facts.client.mechanism in table.thresholds.routine
}

by_volume(_) if facts.client.mechanism in table.thresholds.assessment

count_of("sensitive") := facts.client.cn_year_sensitive_count

count_of("personal") := facts.client.cn_year_count
