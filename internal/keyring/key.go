package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
)

const keySize = 32

// key is 32 secret bytes. It does not print.
type key [keySize]byte

// Format implements fmt.Formatter, redacted for every verb.
func (key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

func drawKey(random io.Reader) (key, error) {
	var k key
	if _, err := io.ReadFull(random, k[:]); err != nil {
		return key{}, fmt.Errorf("draw a key: %w", err)
	}
	return k, nil
}

// mac is HMAC-SHA-256 (RFC 2104, FIPS 198-1) over the parts, one after the other. Callers
// see to it that the parts cannot be cut differently.
func mac(secret []byte, parts ...[]byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, secret)
	for _, part := range parts {
		h.Write(part)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// newAEAD is AES-256-GCM with a 96-bit nonce and a 128-bit tag (NIST SP 800-38D).
func newAEAD(k *key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// childLabel separates this use of HMAC from every other in the project.
const childLabel = "consentry page v1\x00"

// child derives one node of the tree from its parent. It is HMAC-SHA-256 written out for
// its one shape of input (RFC 2104 §2: a key shorter than SHA-256's block is padded with
// zeros), because crypto/hmac allocates and this is done for every subject that is read.
func (k *key) child(level, nibble byte) key {
	var (
		inner [sha256.BlockSize + len(childLabel) + 2]byte
		outer [sha256.BlockSize + sha256.Size]byte
	)
	copy(inner[:], k[:])
	copy(outer[:], k[:])
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	message := inner[sha256.BlockSize:]
	copy(message, childLabel)
	message[len(childLabel)], message[len(childLabel)+1] = level, nibble
	sum := sha256.Sum256(inner[:])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}
