// Package keyring keeps the keys of the vault, and nothing else does: subject keys,
// the keys of blind indexes, the signing key. None of them is ever in the database, so
// no backup of the database, of any age, can bring an erased person back.
//
// # Key pages
//
// A subject's key is not stored; it is derived. Subjects are numbered by key slot, and
// the keys of 4,096 slots share one page: a tree of the construction of Goldreich,
// Goldwasser and Micali ("How to construct random functions", J. ACM 33, 1986) with
// arity 16 and depth 3, where
//
//	child(node, level, nibble) = HMAC-SHA-256(node, "consentry page v1" ‖ 0x00 ‖ level ‖ nibble)
//
// A fresh page is one 32-byte root. To erase a subject is to puncture the page: the
// nodes on the path to its leaf are replaced by their siblings, after which every other
// key still derives and the erased one cannot be computed by anybody, us included
// (puncturable pseudorandom functions: Kiayias et al., CCS 2013; Aviram, Gellert and
// Jager, "Session resumption protocols and efficient forward security for TLS 1.3
// 0-RTT", 2019).
//
// A page is stored in Vault's KV version 2, wrapped by a Transit key that Vault never
// exports (the KEK), with the record's own name as associated data, so that a page put in another
// page's place does not unwrap. A puncture writes with check-and-set, reads back, makes
// sure that every other slot derives as before, and only then destroys the older versions. A
// crash in between leaves an older version behind; [Keyring.Sweep] finishes the work.
// Nothing ever makes a new key in the place of one that is missing.
//
// # Sealed values
//
// A value is sealed with AES-256-GCM (NIST SP 800-38D) under its subject's key, a random
// 96-bit nonce, and its [Place] as associated data: a value moved to another subject,
// attribute, kind or version does not open. Random nonces are safe for 2^32 values
// under one key; a subject has dozens.
//
// # Threat model
//
// What a thief gets, by what was stolen:
//
//   - The database, or any backup of it: no value, identifier, facet or evidence, but ciphertext,
//     keyed hashes and pseudonyms. Equal identifiers are seen to be equal (the blind index is
//     deterministic). What the ledger and the log say stands in clear beside the pseudonyms: who
//     decided what about which purpose and when; which client asked, for what, and when. And of those about whom
//     a decision was taken its input, for replay: law, country, age band, consent,
//     restriction, objection and opt-out signals. Whoever knows a person's pseudonym otherwise
//     learns these of them.
//   - Vault's storage without its unseal keys: nothing; it is encrypted by Vault.
//   - The KV records, read through Vault, without the right to decrypt: wrapped pages,
//     whose size tells how many subjects of a page were erased.
//   - Database and a live service token: everything that is held at that time, one Vault
//     request for each 4,096 subjects, each of them in Vault's audit log; never a person erased
//     before. The token can also erase: it may puncture and destroy pages.
//     It cannot export, delete, rotate or reconfigure the KEK.
//   - The memory of a running service: the pages it used in the last quarter of an hour
//     (Options.PageTTL), and the index, suppression and token keys. Another
//     node that has read a page keeps it for as long after a puncture.
//   - The index key: identifiers can be guessed and checked against the database,
//     as phone numbers can all be tried. So it is wrapped like a page.
//   - Database and Vault backup and unseal keys, all from before an erasure: the erased person.
//     Backups of Vault must therefore be kept apart from those of the database, and no longer
//     than the law gives for erasure; after restoring one, the
//     punctures since then have to be repeated from the records of erasure.
//
// The file-backed keyring is for development: its KEK lies beside its pages, so a thief
// of the directory has all of it.
package keyring
