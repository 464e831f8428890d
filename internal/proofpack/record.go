package proofpack

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// The records of a ledger are chained by hash, each to the one before (Haber and Stornetta, How to Time-Stamp
// a Digital Document, 1991), so that none can be changed, removed from the middle or moved without
// breaking every later link. What a chain alone does not show is that its end was cut off, or that all of it was made
// anew. So the audit entry of each record names the record's hash, and the audit log is signed.

// Record is one entry of a subject's ledger, under the names it has in the API.
type Record struct {
	Seq         int32                  `json:"seq"` // from 1
	ID          RecordID               `json:"id"`
	Purpose     privacy.PurposeName    `json:"purpose"` // of an objection: its scope
	Action      privacy.ConsentAction  `json:"action"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for"`
	By          privacy.ConsentBy      `json:"by"`
	Channel     string                 `json:"channel,omitempty"`
	Method      string                 `json:"method,omitempty"`
	ConfirmBy   string                 `json:"confirm,omitempty"` // it awaits confirmation there
	Confirms    RecordID               `json:"confirms,omitzero"`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   time.Time              `json:"expires_at,omitzero"`
	RecordedBy  privacy.ClientID       `json:"recorded_by"`
	RecordedAt  time.Time              `json:"recorded_at"`
	Notice      *NoticeRef             `json:"notice,omitempty"`
	NoticeHash  Bytes                  `json:"notice_hash,omitempty"`
	Locale      string                 `json:"locale,omitempty"`
	Evidence    Bytes                  `json:"evidence_hash,omitempty"` // the commitment; the evidence stays sealed
	Prev        Bytes                  `json:"prev_hash,omitempty"`
	Hash        Bytes                  `json:"hash,omitempty"` // none in records from before there was a chain
}

// RecordID names a record: a UUID.
type RecordID [16]byte

// String gives the canonical lower-case form.
func (id RecordID) String() string { return privacy.SubjectID(id).String() }

// IsZero reports whether the id was never set.
func (id RecordID) IsZero() bool { return id == RecordID{} }

// MarshalText implements encoding.TextMarshaler.
func (id RecordID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *RecordID) UnmarshalText(text []byte) error {
	return (*privacy.SubjectID)(id).UnmarshalText(text)
}

// Bytes is a hash as hex.
type Bytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// NoticeRef names one version of a notice.
type NoticeRef struct {
	ID      string `json:"id"`
	Version int32  `json:"version"`
}

// chainLabel separates these bytes from everything else that is ever hashed (as RFC 6962 §2.1 separates leaves from
// nodes), and says how the rest is read. Another encoding gets another label; this one is frozen.
const chainLabel = "consentry consent record v1\x00"

// confirmLabel is that of a record that awaits a confirmation or is one: after the fields below come confirm by ‖ id
// of the record confirmed (16, zeros for none). All others keep the first encoding.
const confirmLabel = "consentry consent record v1 confirmation\x00"

// ChainHash is the link of a record: SHA-256 over the label and every field in the order below, numbers big endian,
// texts, lists and hashes after their length in four bytes, times in microseconds since 1970, and no
// expiry as 0x8000000000000000. The chain of a ledger begins, with zeros for the hash before, at the first record
// that has a hash.
//
//	hash before (32) ‖ subject (16) ‖ number (4) ‖ record id (16) ‖ purpose ‖ action ‖ explicit (1) ‖ separate for ‖ given by
//	‖ channel ‖ method ‖ locale ‖ notice id ‖ notice version (4) ‖ notice hash ‖ commitment to the evidence
//	‖ occurred (8) ‖ expires (8) ‖ recorded by ‖ recorded (8)
func (r *Record) ChainHash(subject privacy.SubjectID) audit.Hash {
	label := chainLabel
	confirmation := r.ConfirmBy != "" || !r.Confirms.IsZero()
	if confirmation {
		label = confirmLabel
	}
	b := append(make([]byte, 0, 512), label...)
	var prev audit.Hash
	copy(prev[:], r.Prev)
	b = append(b, prev[:]...)
	b = append(b, subject[:]...)
	b = appendNumber(b, int(r.Seq))
	b = append(b, r.ID[:]...)
	b = appendText(b, r.Purpose)
	b = appendText(b, r.Action)
	b = append(b, boolByte(r.Explicit))
	b = appendNumber(b, len(r.SeparateFor))
	for _, scope := range r.SeparateFor {
		b = appendText(b, scope)
	}
	b = appendText(b, r.By)
	b = appendText(b, r.Channel)
	b = appendText(b, r.Method)
	b = appendText(b, r.Locale)
	var notice NoticeRef
	if r.Notice != nil {
		notice = *r.Notice
	}
	b = appendText(b, notice.ID)
	b = appendNumber(b, int(notice.Version))
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

func appendNumber(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // positive, and bounded at the door
}

func appendText[S ~string | ~[]byte](b []byte, text S) []byte {
	return append(appendNumber(b, len(text)), text...)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// event is what the record's receipt has to tell.
func (r *Record) event(subject privacy.SubjectID) *receipt.Event {
	event := &receipt.Event{ID: r.ID, Subject: subject, Action: r.Action, Pending: r.ConfirmBy != "", Confirms: r.Confirms, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By,
		Channel: r.Channel, Method: r.Method, Language: r.Locale, OccurredAt: r.OccurredAt, ExpiresAt: r.ExpiresAt}
	if r.Notice != nil {
		event.Notice = receipt.Notice{ID: r.Notice.ID, Version: int(r.Notice.Version), Hash: hex.EncodeToString(r.NoticeHash)}
	}
	return event
}

// Object names a record in the audit log, by its hash.
func Object(hash []byte) string { return objectWord + hex.EncodeToString(hash) }

const objectWord = "consent/"
