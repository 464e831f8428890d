# The matrix attribute × purpose → mode: what a purpose needs, and in which form. What
# is not in it is not needed.
package consentry.matrix

import data.consentry.facts

# The column of the purpose.
modes := {attribute: mode | mode := data.matrix[attribute][input.purpose]}

released := {attribute | modes[attribute] in {"plain", "generalise", "mask", "tokenise"}}

counted := {attribute | modes[attribute] == "aggregate"}

denials_of["not_permitted_for_purpose"] := (facts.relevant - released) - counted

# What is only counted is released to nobody. For some purposes that is everything.
denials_of["aggregate_only"] := facts.relevant & (released | counted) if {
	facts.flag("aggregates_only")
} else := facts.relevant & counted
