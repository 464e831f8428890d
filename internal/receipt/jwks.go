package receipt

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Keys are public keys by their thumbprint. As JSON they are a JWK set (RFC 7517) of Ed25519 keys (RFC 8037).
type Keys map[string]ed25519.PublicKey

// NewKeys names keys by their thumbprints.
func NewKeys(publics ...ed25519.PublicKey) Keys {
	keys := make(Keys, len(publics))
	for _, public := range publics {
		keys[Thumbprint(public)] = public
	}
	return keys
}

// Thumbprint names a key: the SHA-256 of its required members in lexicographic order, in base64url (RFC 7638 §3, RFC 8037 §2).
func Thumbprint(public ed25519.PublicKey) string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + encoding.EncodeToString(public) + `"}`))
	return encoding.EncodeToString(sum[:])
}

type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	ID        string `json:"kid,omitempty"`
	Use       string `json:"use,omitempty"`
	Algorithm string `json:"alg,omitempty"`
}

type jwks struct {
	Keys []jwk `json:"keys"`
}

// MarshalJSON implements json.Marshaler, with the keys in the order of their names.
func (k Keys) MarshalJSON() ([]byte, error) {
	set := jwks{Keys: make([]jwk, 0, len(k))}
	for _, id := range slices.Sorted(maps.Keys(k)) {
		set.Keys = append(set.Keys, jwk{Type: "OKP", Curve: "Ed25519", X: encoding.EncodeToString(k[id]), ID: id, Use: "sig", Algorithm: "EdDSA"})
	}
	return json.Marshal(set)
}

// ParseKeys reads a JWK set. Keys of other kinds are passed over, as RFC 7517 §5 wants; one that goes by another
// name than its thumbprint is refused, and so is a set without any key of use.
func ParseKeys(text []byte) (Keys, error) {
	if len(text) > maxJWS {
		return nil, errKeySet
	}
	var set jwks
	if err := decodeOne(text, &set, false); err != nil {
		return nil, errKeySet
	}
	keys := make(Keys, len(set.Keys))
	for _, key := range set.Keys {
		if key.Type != "OKP" || key.Curve != "Ed25519" || key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != "EdDSA" {
			continue
		}
		public, err := encoding.DecodeString(key.X)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, errKeySet
		}
		id := Thumbprint(public)
		if key.ID != "" && key.ID != id {
			return nil, errKeySet
		}
		keys[id] = public
	}
	if len(keys) == 0 {
		return nil, errKeySet
	}
	return keys, nil
}

var errKeySet = privacy.Invalid("jwks_malformed", "the key set is not a JWK set with an Ed25519 key that goes by its thumbprint")
