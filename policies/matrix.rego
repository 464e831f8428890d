# The matrix attribute × purpose → mode: what a purpose needs, and in which form. What
# is not in it is not needed.
package consentry.matrix

import data.consentry.facts

mode(attribute) := data.matrix[attribute][input.purpose]

releasing := {"plain", "generalise", "mask", "tokenise"}

denials_of[attribute] := denials(attribute) if some attribute in facts.relevant

denials(attribute) := set() if {
	mode(attribute) in releasing
	not facts.flag("aggregates_only")
} else := {"aggregate_only"} if {
	mode(attribute) in (releasing | {"aggregate"})
} else := {"not_permitted_for_purpose"}
