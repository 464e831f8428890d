# Sale and sharing (CCPA 1798.120, .135): release to a third party, or use for
# cross-context advertising, which a processor cannot make anything else (7050(b)).
package consentry.sale

import data.consentry.facts

sold if facts.third_party

sold if facts.flag("cross_context")

denials contains "opted_out_of_sale" if {
	facts.law.sale.opt_out
	input.subject.opt_out_signal != false
	sold
}
