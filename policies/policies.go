// Package policies holds the default policy: the law as Rego modules, and the tables
// they read as JSON.
//
// The split is the point. A module states a rule once, in general ("a consent given for
// sensitive data must meet what the law of the subject asks of it"); data/regimes.json
// says what each law asks. A compliance officer changes tables far more often than
// rules, and a new law is a new row.
//
//	disclosure.rego     the decision: asks the modules below, gives the first reason
//	request.rego        is the question well formed, known and granted to the caller
//	restriction.rego    storage only, restricted
//	minors.rego         guardians, bans on marketing to children, opt-in to sale
//	objection.rego      objections, and refusals where consent is not the basis
//	sale.rego           opt-out of sale and sharing
//	basis.rego          is the legal basis one that the law knows
//	consent.rego        is consent needed, and does it stand
//	sensitive.rego      what sensitive attributes need besides
//	recipient.rego      third parties
//	transfer.rego       recipients abroad
//	automation.rego     decisions without a human
//	matrix.rego         attribute × purpose → mode
//	facts.rego          what the others read: purpose, client, law, basis, age
//	giving.rego         may a consent be recorded the way it was given
//	grants.rego         which client may ask for which purpose
//	authz.rego          who may call which operation
//
// Every file in data/ becomes data.<name>: purposes, clients, regimes, matrix,
// operations, signals, deadlines. data.attributes comes from the catalogue when a revision is made. The
// tables state the law as its text was known in November 2026; they are no legal advice.
package policies

import "embed"

// FS holds the modules (*.rego), their tests (*_test.rego), the tables (data/*.json), and cases that
// a policy begins with (cases/*.yaml).
//
//go:embed *.rego data/*.json cases/*.yaml
var FS embed.FS
