// Package segment answers how many people a predicate describes, without telling about any one of them. It is pure: no
// SQL, no keys, no clock. An [Index] holds, for everybody, a few coarse facts ([Facet]) and the policy state for each
// purpose, as compressed bitmaps; a [Predicate] selects among them; [Release] makes of a true count what may be told.
//
// # What is promised, for a data protection officer
//
// The unit of privacy is one person. Two data sets are neighbours when one has a person that the other has
// not, with everything that is known of them. (A person whose facts change is one who leaves and one who comes: for that, count every
// epsilon below twice.)
//
// Every count that is told is the true count plus a whole number drawn from the discrete Laplace distribution with scale 1/epsilon. A
// person is in at most one cell of a breakdown, so all cells of one answer together are one release of epsilon: with or without the
// person, no answer, and no set of answers, becomes more likely by more than a factor of exp(epsilon) (pure differential
// privacy; Dwork, McSherry, Nissim, Smith 2006). Nobody can tell from the answer, within that
// factor, whether a given person was counted, whatever else they know.
//
// Releases add up: n of them cost n times epsilon. The budget that a client has for a purpose in a window bounds the sum, and is spent
// before an answer is given. Over k windows or k purposes, or for k clients that pool what they were told, the bound is k budgets. An answer that was
// given before is given again unchanged while nothing has changed, and costs nothing, since it tells nothing new; that
// something somewhere has changed can be seen from a fresh answer, what or whose cannot.
//
// Windows do not slide: those of one length begin at the same moments for all clients, one where the other ends. A client can spend the whole
// budget just before a window ends and the next one just after, so the bound for a span as long as a window is two budgets, not one; whoever
// means one sets half. A policy with another length of windows moves where they begin. What was told since the beginning of the new one counts
// against it, and what was told before does not.
//
// # What suppression leaks
//
// A count below the cohort minimum is not told. The minimum is held against the noisy count, never the true one, so that a suppressed
// answer is computed from what is private already: it costs the budget as any other, and tells that the noisy count was
// below the minimum and nothing else. A count that is shown therefore proves nothing of how many people there are: a group that lacks d of them
// is shown with probability exp(-epsilon*d)/(1+exp(-epsilon)), 23 times in 100 for d = 2 at epsilon 0.5. What hides people is the noise; the
// minimum keeps small groups from being acted on. What is shown is never below the minimum, so never negative, and the total of a breakdown is
// the sum of the cells that are shown: the suppressed ones cannot be had by subtraction.
//
// The values of some facets are written by people (a city, an industry), and are not known beforehand. Their cells are told only when they
// are not suppressed. That such a value exists at all therefore becomes visible for a single person with probability at most
// exp(-epsilon*(minimum-1))/2, which is the delta of the answer ([Setting.Delta]). With epsilon 0.5 and
// a minimum of 50 it is about 10^-11. Settings with a delta above one in a million are refused. Cells in which nobody is are not drawn
// for: with nobody to protect in them, they would show up no more often than that (stability: Korolova et al., WWW 2009). Whether a breakdown is refused as too wide
// does not depend on which values there are.
//
// Activating a segment is no aggregate: it discloses members one by one, each under their own consent and each on
// record. Whether a cohort is large enough is decided twice. First on a noisy count of those who may be named, when it begins: a release like any
// other. Then on their true number, there and whenever it is gone on with, without noise or cost, so that no sending begins with fewer than the minimum. A
// refusal by that number tells that it is below the minimum, exactly. Whoever goes on with an activation again and again, for the week that this is possible, sees
// when the number crosses the minimum, and can tell by it of one person if they know of all the others. When it is not below, the names are told, which says more.
package segment
