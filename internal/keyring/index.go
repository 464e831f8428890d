package keyring

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/consentry/consentry/internal/privacy"
)

// hashKeys are the keys under which values are hashed rather than sealed. They are
// loaded when the keyring is opened and do not change while it is.
type hashKeys struct {
	index, suppression, token, fingerprint key
}

// The records that hold them; the fingerprint key derives from the index key.
const (
	indexRecord       = "keys/index"
	suppressionRecord = "keys/suppression"
	tokenRecord       = "keys/token"
)

func newHashKeys(index, suppression, token key) hashKeys {
	return hashKeys{
		index: index, suppression: suppression, token: token,
		// Every blind index hashes a zero byte and this label has none: they never meet.
		fingerprint: mac(index[:], []byte("consentry fingerprint v1")),
	}
}

// IndexSize is the length of a blind index in bytes: 128 bits, of which two among 10^9
// identifiers collide with a chance of 10^-21.
const IndexSize = 16

// BlindIndex gives the keyed hash by which an identifier is found without being known
// to the database. Equal identifiers have equal indexes. The value must be
// normalised, and the type must not contain a zero byte.
func (k *Keyring) BlindIndex(t privacy.IdentifierType, normalised privacy.Cleartext) [IndexSize]byte {
	return identifierHash(&k.hashes.index, t, normalised)
}

// SuppressionIndex is BlindIndex under a key of its own: the mark that an erased
// identifier leaves, so that the next import does not bring the person back unnoticed.
// It cannot be matched with the indexes of older backups.
func (k *Keyring) SuppressionIndex(t privacy.IdentifierType, normalised privacy.Cleartext) [IndexSize]byte {
	return identifierHash(&k.hashes.suppression, t, normalised)
}

func identifierHash(secret *key, t privacy.IdentifierType, normalised privacy.Cleartext) [IndexSize]byte {
	var sum [keySize]byte
	_ = normalised.Borrow(func(text string) error {
		sum = mac(secret[:], []byte(t), []byte{0}, []byte(text))
		return nil
	})
	return [IndexSize]byte(sum[:IndexSize])
}

// Fingerprint is a keyed hash for telling whether two request bodies are the same. An
// unkeyed hash of a body with personal data could be found by guessing.
func (k *Keyring) Fingerprint(data []byte) [32]byte {
	return mac(k.hashes.fingerprint[:], data)
}

// Token stands for a value in disclosure mode tokenise: 22 characters, the same
// whenever the same client asks for the same value for the same purpose, and
// unlinkable between clients or purposes.
func (k *Keyring) Token(client privacy.ClientID, purpose privacy.PurposeName, attribute privacy.AttributeID, value privacy.Cleartext) string {
	var sum [keySize]byte
	_ = value.Borrow(func(text string) error {
		message := []byte("consentry token v1\x00")
		message = appendField(message, string(client))
		message = appendField(message, string(purpose))
		message = binary.BigEndian.AppendUint16(message, uint16(attribute))
		message = appendField(message, text)
		sum = mac(k.hashes.token[:], message)
		return nil
	})
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// appendField puts the length before the field, so that no two lists of fields read the same.
func appendField(message []byte, field string) []byte {
	message = binary.BigEndian.AppendUint64(message, uint64(len(field)))
	return append(message, field...)
}
