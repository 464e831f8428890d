// Package privacy holds the words of the vault: the types every other package
// speaks in, and the pure rules that need nothing but the standard library.
//
// The words are the field's own (GDPR, PIPL, CCPA/CPRA, ISO/IEC 29184,
// ISO/IEC TS 27560, W3C DPV). A subject is a person; an attribute is one field of
// their profile; a purpose is why somebody wants it; a decision says which
// attributes may be released for a purpose, in which mode, and why the rest may
// not. Values in clear travel as [Cleartext], which refuses to print itself.
//
// Nothing here does I/O, and nothing here imports another package of the project.
package privacy
