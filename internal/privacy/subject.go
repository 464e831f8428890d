package privacy

import (
	"encoding/hex"
	"io"
	"time"
)

// SubjectID names a person (GDPR Art. 4(1) data subject) inside the vault. It is a
// random UUIDv7 (RFC 9562 §5.7): a pseudonym that tells nothing but when the
// record was made.
type SubjectID [16]byte

// NewSubjectID draws a fresh id at the given time from the given randomness.
func NewSubjectID(at time.Time, random io.Reader) (SubjectID, error) {
	id, err := NewUUIDv7(at, random)
	return SubjectID(id), err
}

// ParseSubjectID reads the canonical 36-character form, in either case.
func ParseSubjectID(s string) (SubjectID, error) {
	id, err := parseUUID(s)
	return SubjectID(id), err
}

// String gives the canonical lower-case form.
func (id SubjectID) String() string { return formatUUID(id) }

// IsZero reports whether the id was never set.
func (id SubjectID) IsZero() bool { return id == SubjectID{} }

// MarshalText implements encoding.TextMarshaler.
func (id SubjectID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *SubjectID) UnmarshalText(text []byte) error {
	parsed, err := ParseSubjectID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// NewUUIDv7 draws a UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then
// version, variant and 74 random bits.
func NewUUIDv7(at time.Time, random io.Reader) ([16]byte, error) {
	var id [16]byte
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return id, Internal(err, "draw an id")
	}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // the low byte is what is meant
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

func parseUUID(s string) ([16]byte, error) {
	var id [16]byte
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, Invalid("invalid_id", "an id is a UUID of 36 characters")
	}
	packed := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(packed)); err != nil {
		return id, Invalid("invalid_id", "an id is a UUID of 36 characters")
	}
	return id, nil
}

func formatUUID(id [16]byte) string {
	var out [36]byte
	hex.Encode(out[0:8], id[0:4])
	out[8] = '-'
	hex.Encode(out[9:13], id[4:6])
	out[13] = '-'
	hex.Encode(out[14:18], id[6:8])
	out[18] = '-'
	hex.Encode(out[19:23], id[8:10])
	out[23] = '-'
	hex.Encode(out[24:36], id[10:16])
	return string(out[:])
}
