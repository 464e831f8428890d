// Package policy decides. It holds policy revisions, evaluates them with Open Policy
// Agent, and remembers what it decided.
//
// A decision is a pure function of a revision and an input. Revisions are content-
// addressed: the id is the SHA-256 of the canonical bytes, so the same id is the same
// policy on every node and in every year. Inputs are canonical too: lists are sorted
// and distinct, fields come in one order. Modules run with an allowlist of built-ins
// that leaves out network, time, randomness and environment. From this follow
// the two things the rest of the vault builds on: a decision replays from its record
// offline, and a batch of a thousand subjects costs as many evaluations as it has
// distinct policy states, because the others are remembered.
//
// Everything fails closed. A policy that leaves an asked attribute undecided, decides
// it twice, invents a reason or fails to evaluate has decided against every
// attribute, with the reason policy_error. Only what says nothing about the
// policy, such as a revision that is not loaded or a deadline that ran out, is an
// error; then there is no decision at all.
//
// Sources: OPA's documentation on capabilities and strict mode; RFC 8785 for the idea of
// hashing one form of a JSON document, though not its number format.
package policy
