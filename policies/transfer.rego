# Recipients abroad: GDPR 44–49, PIPL 38–41 with the 2024 provisions on volumes, and
# their like.
package consentry.transfer

import data.consentry.facts

table := facts.law.transfers

denials_of[attribute] contains "transfer_needs_separate_consent" if {
	some attribute in facts.relevant
	not domestic
	table.separate.needed
	not facts.basis in table.separate.lifted_by
	not facts.separate("transfer")
}

denials_of[attribute] contains "transfer_not_allowed" if {
	some attribute in facts.relevant
	not domestic
	not allowed(attribute)
}

# A foreign court or authority gets nothing on its own word (GDPR 48, PIPL 41),
# wherever it sits and whatever else would permit the transfer.
denials_of[attribute] contains "transfer_not_allowed" if {
	some attribute in facts.relevant
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
allowed(attribute) if {
	is_string(facts.client.country)
	not facts.client.country in table.barred
	way(attribute)
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

way(attribute) if by_volume(attribute)

# China counts the persons whose data an exporter sent abroad since 1 January: few enough
# are exempt, more need a contract or certificate, many a security assessment. A missing
# count is more than any threshold, and an operator of critical information infrastructure
# is always assessed.
by_volume(attribute) if {
	facts.client.ciio == false
	count_of(attribute) < thresholds(attribute).exempt_below
}

by_volume(attribute) if {
	facts.client.ciio == false
	count_of(attribute) < thresholds(attribute).assessment_from
	facts.client.mechanism in table.thresholds.routine
}

by_volume(_) if facts.client.mechanism in table.thresholds.assessment

thresholds(attribute) := table.thresholds.sensitive if {
	attribute in facts.sensitive
} else := table.thresholds.personal

count_of(attribute) := facts.client.cn_year_sensitive_count if {
	attribute in facts.sensitive
} else := facts.client.cn_year_count
