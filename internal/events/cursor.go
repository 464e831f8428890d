package events

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/consentry/consentry/internal/privacy"
)

// Cursor is a place in the log of events.
type Cursor int64

// ParseCursor reads the text form; "" is the beginning.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return 0, nil
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(packed) != 8 || packed[0] > 0x7f {
		return 0, privacy.Invalid("invalid_cursor", "the cursor is not one that this service gave out")
	}
	return Cursor(binary.BigEndian.Uint64(packed)), nil //nolint:gosec // the first bit is zero
}

// String gives the text form.
func (c Cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(c))) //nolint:gosec // never negative
}
