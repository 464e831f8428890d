package audit

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/consentry/consentry/internal/privacy"
)

// Hash is a SHA-256 hash: of a decision, of a leaf, or of a node of the Merkle tree. Its text
// form is lower-case hex.
type Hash [sha256.Size]byte

// ParseHash reads 64 lower-case hex digits.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) != hex.EncodedLen(len(h)) {
		return h, invalidHash()
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil || h.String() != text {
		return Hash{}, invalidHash()
	}
	return h, nil
}

func invalidHash() error {
	return privacy.Invalid("invalid_hash", "a hash is 64 lower-case hex digits")
}

// String gives the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether the hash was never set.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// nodeHash is the hash of two subtrees (RFC 6962 §2.1). The prefix keeps it from being passed
// off as a leaf's.
func nodeHash(left, right Hash) Hash {
	var prefixed [1 + 2*sha256.Size]byte
	prefixed[0] = rfc6962.RFC6962NodeHashPrefix
	copy(prefixed[1:], left[:])
	copy(prefixed[1+sha256.Size:], right[:])
	return sha256.Sum256(prefixed[:])
}
