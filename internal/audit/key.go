package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/consentry/consentry/internal/privacy"
)

// Key is one version of the public key that checkpoints are signed with. Its text form is the
// verifier key of the C2SP signed note, "<name>+<hash>+<base64>".
type Key struct {
	Name   string // the origin, by the convention of C2SP tlog-checkpoint
	Public ed25519.PublicKey
}

// ParseKey reads the text form.
func ParseKey(text string) (Key, error) {
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return Key{}, invalidKey()
	}
	parts := strings.SplitN(text, "+", 3) // base64 has plus signs of its own
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return Key{}, invalidKey()
	}
	key := Key{Name: verifier.Name(), Public: raw[1:]}
	if key.String() != text {
		return Key{}, invalidKey()
	}
	return key, nil
}

func invalidKey() error {
	return privacy.Invalid("invalid_key", "a checkpoint key is <name>+<hash>+<base64>, an Ed25519 key with type byte 1")
}

// String gives the text form, or nothing if the key is not one.
func (k Key) String() string {
	text, err := note.NewEd25519VerifierKey(k.Name, k.Public)
	if err != nil {
		return ""
	}
	return text
}

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

func (k Key) verifier() (note.Verifier, error) {
	v, err := note.NewVerifier(k.String())
	if err != nil {
		return nil, invalidKey()
	}
	return v, nil
}

func verifiersOf(keys []Key) (note.Verifiers, error) {
	seen := map[string]bool{}
	var list []note.Verifier
	for _, key := range keys {
		v, err := key.verifier()
		if err != nil {
			return nil, err
		}
		if text := key.String(); !seen[text] {
			seen[text] = true
			list = append(list, v)
		}
	}
	return note.VerifierList(list...), nil
}
