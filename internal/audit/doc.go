// Package audit says what is recorded about every use of personal data, and makes the
// record tamper-evident: who asked for what, about whom, for which purpose, and what was
// decided. It holds no SQL; the store persists what is defined here.
//
// # What is recorded
//
// An [Entry] is one row of the audit table. It names people by pseudonym only and holds no
// value, no identifier and no network address, so that the log may be shown to an auditor,
// kept for years, and survive the erasure of the people in it. What a disclosure
// released and withheld, and why, is in its [Decision]: the revision of the policy, the input and
// the outcome, stored once under its hash, because thousands of disclosures share one. From these
// alone every decision can be replayed.
//
// An input lies in clear, and tells the country, law, age band and consent of those it was about. The next step
// would be to seal it: under a key of the log, kept in the keyring beside the index key and none of a subject's; found again by a
// keyed hash instead of a plain one, so that it is still stored once and nobody can try inputs, of
// which there are few; opened for replay and export, which would then need the keyring or be handed the
// opened inputs. The plain hash would be inside the seal, so that leaves and old entries verify as before.
//
// # How it gets there
//
// Entries are written in a [Batch], inside the transaction whose effect they describe. Disclosures,
// which write nothing else, share transactions through a [Batcher]: it answers
// after the commit and never before, which is what "audit before release" rests on.
//
// # Why it can be believed
//
// A sequencer gives committed entries dense indexes and appends their leaf hashes to a Merkle
// tree (RFC 6962 §2.1); a [Tree] is all the state it needs. Now and then the root is signed
// as a [Checkpoint] (C2SP tlog-checkpoint in a C2SP signed note, Ed25519). Whoever keeps a checkpoint
// can later demand proof that an entry is in the log ([InclusionProof]) and that the log has only grown
// ([ConsistencyProof]), and [Verify] recomputes everything from the rows: a row that was
// changed, removed or slipped in is found and named. [Export] and [VerifyFile] do the same from a file,
// with nothing at hand but the public keys.
//
// What this cannot show: that an entry was never written at all (the write path sees to that); that one was
// changed in the second before it reached the log; and that the end of the log was cut off together with all
// checkpoints over it, unless somebody outside kept one. So checkpoints should leave the house.
package audit
