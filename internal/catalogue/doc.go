// Package catalogue says what a profile may hold. Each [Attribute] has a number that
// never changes, a type, a classification, a retention and the rules by which its value
// is brought into one canonical form, coarsened or masked; each [Identifier] says how
// the text that finds a subject is made comparable.
//
// A value has exactly one canonical text, and that text is what gets sealed and indexed.
// [Attribute.Normalise] and [Attribute.NormaliseText] make it, from JSON and from a cell
// of a table; [Attribute.AppendJSON] turns it back into typed JSON on the way out. Two
// spellings of one value ("M", "男", "male") therefore become the same bytes, a value
// normalised twice stays as it was, and an amount of money keeps every digit, because it
// is never a floating-point number on the way.
//
// [Attribute.Generalised] and [Attribute.Masked] make the weaker forms that a policy may
// permit instead of the value. Both give up detail rather than fail: what a rule does
// not expressly let through is "***".
//
// Errors name the attribute and what was expected of it, never the value.
package catalogue
