// Package proofpack makes and verifies consent proof packs: all that somebody needs to show, years later and without the
// vault, what one person decided, what they were shown, and when it was put on record (GDPR Art. 7(1), PIPL Art. 69).
//
// A pack is a ZIP file:
//
//	README.txt                             how to verify it, in plain words
//	records.ndjson                         the ledger, oldest first: one [Record] a line, chained by hash
//	receipts.txt                           the receipts, compact JWS: line n is that of record n
//	jwks.json                              the keys that receipts are signed with (RFC 7517)
//	notices/<id>/<version>/notice.json     each notice that a record refers to, the very bytes that its hash is of
//	notices/<id>/<version>/<language>.md   its words, as they were shown
//	audit/entries.ndjson                   line n is the audit entry of record n, and the proof that the log holds it: an [Entry]
//	audit/checkpoint.txt                   the signed checkpoint of the log that the proofs lead to (C2SP tlog-checkpoint)
//	audit/keys.txt                         the keys that checkpoints are signed with (C2SP signed note), one a line
//	manifest.json                          a [Manifest]: subject, time, end of the ledger, and the SHA-256 of every file above
//	manifest.jws                           its signature (RFC 7515, detached content)
//
// What each part is good for: the chain shows that no record was changed, removed from the middle or moved. The manifest's
// signature shows that none was cut off the end, and that no file was exchanged. The receipts are what the person was given.
// The audit log shows that each record stood there when the checkpoint was signed, in a log that others have copies
// of: so even whoever holds the signing key cannot date a record back.
//
// The keys in a pack say who claims to have signed. That they are the vault's, somebody has to know from elsewhere: see [Trust].
//
// A pack holds the subject's pseudonym and no other personal data: no identifier, no attribute, and of the evidence only the
// commitment that the record has.
//
// Everything here is pure. Packs are written and read as streams, one line at a time; who makes one signs, and who opens one
// cannot be made to read more than the limits below.
package proofpack

// The names of the files.
const (
	readmeName     = "README.txt"
	recordsName    = "records.ndjson"
	receiptsName   = "receipts.txt"
	keySetName     = "jwks.json"
	noticesFolder  = "notices/"
	entriesName    = "audit/entries.ndjson"
	checkpointName = "audit/checkpoint.txt"
	logKeysName    = "audit/keys.txt"
	manifestName   = "manifest.json"
	signatureName  = "manifest.jws"
)

// What a pack may hold. A reader refuses more before it has read it; a writer does not begin.
const (
	// MaxRecords is how long a ledger may be to fit.
	MaxRecords = 50_000

	maxFiles  = 4_000
	maxFile   = 512 << 20 // bytes of a file, unpacked
	maxPacked = 1 << 30   // bytes of the pack
	maxSmall  = 16 << 20  // of a file that is read whole: manifest, notice, keys
	maxLine   = 256 << 10
)
