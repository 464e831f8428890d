package custody

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// The records of a ledger are chained by hash, each to the one before (Haber and Stornetta, How to Time-Stamp
// a Digital Document, 1991), so that none can be changed, removed from the middle or moved without
// breaking every later link. What a chain alone does not show is that its end was cut off, or that all of it was made
// anew. So the audit entry of each record names the record's hash, and the audit log is signed.
//
// A record from before there was a chain has no hash. The chain of a ledger begins, with zeros for the
// hash before, at the first record that has one.

// chainLabel separates these bytes from everything else that is ever hashed (as RFC 6962 §2.1 separates leaves from
// nodes), and says how the rest is read. Another encoding gets another label; this one is frozen.
const chainLabel = "consentry consent record v1\x00"

// confirmLabel is that of a record that awaits a confirmation or is one: after the fields below come confirm by ‖ id
// of the record confirmed (16, zeros for none). All others keep the first encoding.
const confirmLabel = "consentry consent record v1 confirmation\x00"

// RecordHash is the link of a record: SHA-256 over the label and every field in the order below, numbers big endian,
// texts, lists and hashes after their length in four bytes, times in microseconds since 1970, and no
// expiry as 0x8000000000000000.
//
//	hash before (32) ‖ subject (16) ‖ number (4) ‖ record id (16) ‖ purpose ‖ action ‖ explicit (1) ‖ separate for ‖ given by
//	‖ channel ‖ method ‖ locale ‖ notice id ‖ notice version (4) ‖ notice hash ‖ commitment to the evidence
//	‖ occurred (8) ‖ expires (8) ‖ recorded by ‖ recorded (8)
func RecordHash(id privacy.SubjectID, r *store.ConsentRecord) audit.Hash {
	label := chainLabel
	confirmation := r.ConfirmBy != "" || r.Confirms != [16]byte{}
	if confirmation {
		label = confirmLabel
	}
	b := append(make([]byte, 0, 512), label...)
	var prev audit.Hash
	copy(prev[:], r.Prev)
	b = append(b, prev[:]...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Seq)) //nolint:gosec // positive by a check constraint
	b = append(b, r.ID[:]...)
	b = appendText(b, r.Purpose)
	b = appendText(b, r.Action)
	b = append(b, boolByte(r.Explicit))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.SeparateFor))) //nolint:gosec // a handful
	for _, scope := range r.SeparateFor {
		b = appendText(b, scope)
	}
	b = appendText(b, r.By)
	b = appendText(b, r.Channel)
	b = appendText(b, r.Method)
	b = appendText(b, r.Locale)
	b = appendText(b, r.Notice.ID)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Notice.Version)) //nolint:gosec // positive by a check constraint
	b = appendText(b, r.NoticeHash)
	b = appendText(b, r.Evidence)
	b = binary.BigEndian.AppendUint64(b, uint64(r.OccurredAt.UnixMicro()))
	expires := uint64(1) << 63
	if !r.ExpiresAt.IsZero() {
		expires = uint64(r.ExpiresAt.UnixMicro())
	}
	b = binary.BigEndian.AppendUint64(b, expires)
	b = appendText(b, r.RecordedBy)
	b = binary.BigEndian.AppendUint64(b, uint64(r.RecordedAt.UnixMicro()))
	if confirmation {
		b = appendText(b, r.ConfirmBy)
		b = append(b, r.Confirms[:]...)
	}
	return sha256.Sum256(b)
}

func appendText[S ~string | ~[]byte](b []byte, text S) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // lengths are bounded at the door
	return append(b, text...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// chain puts a record behind the last one of its ledger.
func (l *ledger) chain(r *store.ConsentRecord) {
	r.Seq = l.seq + 1
	r.Prev = make([]byte, len(audit.Hash{}))
	copy(r.Prev, l.hash)
	hash := RecordHash(l.id, r)
	r.Hash = hash[:]
	l.seq, l.hash = r.Seq, r.Hash
}

// recordObject names a record in the audit log, by its hash.
func recordObject(hash []byte) string { return recordWord + hex.EncodeToString(hash) }

const recordWord = "consent/"
