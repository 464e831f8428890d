package proofpack

// readme is for whoever is handed a pack and has never heard of any of this.
const readme = `CONSENT PROOF PACK

This folder shows what one person decided about the use of their data, what they were told
before they decided, and when each decision was put on record. The person goes by a pseudonym;
their name, address and other data are not in here.

What is in it

  records.ndjson       every decision, oldest first, one a line: purpose, what was decided
                       (grant, deny, withdraw, object, lift), when and how
  notices/             what the person was shown, word for word, in every language
  receipts.txt         the signed receipts the person was given; line n belongs to record n
  jwks.json            the public keys that verify the receipts
  audit/               the place of each record in the audit log, and the signed checkpoint
                       of that log which proves it
  manifest.json        the list of all files with their SHA-256, the number of records, and
                       the hash of the last one
  manifest.jws         the signature over manifest.json

How to verify it with one command

  consentry proof verify PACK.zip --key KEY

KEY is the vault's public key, as the controller has published it, or as it stands in a
checkpoint that you kept from earlier. It reads name+hash+base64. Without --key the keys in the
pack itself are used: that shows that nothing was changed since the pack was signed, but not who
signed it. The command needs no network. It prints a line for each check and ends with 0 when
all of them hold.

How to verify it by hand

  1. Files. The SHA-256 of each file is the one in manifest.json, and there is no other file.
       sha256sum records.ndjson
  2. Signature. manifest.jws has the form HEADER..SIGNATURE. Put the base64url of manifest.json
     between the two dots, and any JOSE program verifies it (EdDSA) with jwks.json.
  3. Records. "hash" of each record is the SHA-256 over its fields, in the order and encoding
     documented with the program, and "prev_hash" is the "hash" of the record before. The last
     "hash" is "head" in manifest.json. So no record was changed, removed or moved.
  4. Receipts. Each line is a JWS, verified the same way. Its payload tells what the record tells.
       sed -n 1p receipts.txt | consentry receipt verify - --jwks jwks.json
  5. Notices. The SHA-256 of notice.json is "notice_hash" in the records that refer to it.
       sha256sum notices/*/*/notice.json
  6. Audit log. "leaf" of an entry is its content in base64 and names the record by its hash.
     With "index" and "proof" it leads to the root in audit/checkpoint.txt (RFC 6962, section
     2.1.1), which is signed by a key of audit/keys.txt (C2SP signed note).

What it does not show

  A record says what the vault was told and when. "recorded_at" is the vault's own clock, and the
  checkpoint shows that the record was there by then. "occurred_at" is what the caller said.
  Where a record has an "evidence_hash", evidence was kept: the filled-in form, for instance.
  It is personal data and stays in the vault, sealed; the hash commits to it.
`
