# What the other modules read: the tables' rows for this request, and a few facts
# worked out from them once.
#
# A warning to who adds rules here and elsewhere: "not f(x.y)" and "not x.y in list" hold
# nothing against a missing x.y, because OPA looks up the argument before it negates.
# Negate a rule that says what is right, as "not in_hand" below.
package consentry.facts

asked := {attribute | some attribute in input.attributes}

purpose := data.purposes[input.purpose]

client := data.clients[input.caller.client]

# The row of the law that applies. A law without a row of its own is treated as the
# strictest; a missing one is no law at all.
regime := input.subject.regime if {
	data.regimes.laws[input.subject.regime]
} else := "default" if {
	is_string(input.subject.regime)
	input.subject.regime != ""
}

law := data.regimes.laws[regime]

# The basis on which the purpose rests under that law.
basis := object.get(purpose.basis, regime, purpose.basis["default"])

flag(name) if purpose[name] == true

# The catalogue. Taken as a whole it is read once, and not attribute by attribute.
definitions := data.attributes

# What is computed from other attributes, and from which.
derivation := {attribute: origins | origins := definitions[attribute].derived_from}

derived := asked & object.keys(derivation)

# Attributes and what they are derived from, however remotely.
sources[attribute] := {attribute} if some attribute in (asked - derived)

sources[attribute] := ({attribute} | reached) | origins if {
	some attribute in derived
	reached := graph.reachable(derivation, {attribute})
	origins := {origin | some found in reached; some origin in derivation[found]}
}

# Everything that decides about the asked attributes.
relevant := asked | union({sources[attribute] | some attribute in derived})

granted if input.subject.consent.status == "granted"

separate(scope) if {
	granted
	scope in input.subject.consent.separate_for
}

explicit if {
	granted
	input.subject.consent.explicit == true
}

# The youngest age in a band; somebody of unknown age counts as an adult, except where
# children are likely among those addressed.
youngest := bands[input.subject.age_band] if {
	input.subject.age_band != "unknown"
} else := 0 if {
	flag("children_likely")
} else := 18

bands := {"0-12": 0, "13": 13, "14": 14, "15": 15, "16-17": 16, "18+": 18}

below(age) if youngest < age

# Somebody outside the own house who decides on their own what to do with the data.
# What is neither own nor a processor is treated as one.
third_party if not in_hand

in_hand if client.recipient in {"own", "processor"}

# An attribute is sensitive by its classification, by the law's own list, or because all
# data of a child of that age is. An unknown classification counts as sensitive.
sensitive contains attribute if some attribute in (relevant - ordinary)

ordinary := {attribute | definitions[attribute].classification in {"public", "internal", "personal"}}

sensitive contains attribute if {
	some attribute in law.sensitive.attributes
	attribute in relevant
}

sensitive contains attribute if {
	below(law.minors.sensitive_below)
	some attribute in relevant
}

# Requirements that make a basis good enough, named in the tables.
met("explicit") if explicit

met("separate") if separate("sensitive")

met("consent") if granted

met("necessity") if flag("necessity_recorded")
