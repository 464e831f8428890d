package authn

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Issuer makes tokens with a key of its own, for `consentry dev`, `consentry token` and
// tests. In production an identity provider does.
type Issuer struct {
	key      ed25519.PrivateKey
	keyID    string
	name     string
	audience string
}

// NewIssuer makes an issuer of the given name, for tokens to the given audience.
func NewIssuer(key ed25519.PrivateKey, issuer, audience string) *Issuer {
	return &Issuer{key: key, keyID: thumbprint(publicPart(key)), name: issuer, audience: audience}
}

// Token makes a token that says the caller holds it, from now for the given time.
func (i *Issuer) Token(caller privacy.Caller, ttl time.Duration, now time.Time) (string, error) {
	sub := string(caller.Client)
	if !caller.Subject.IsZero() {
		sub = caller.Subject.String()
	}
	return i.PersonToken(caller, sub, ttl, now)
}

// PersonToken makes a token for somebody who works through the caller's client, named as the issuer names people.
func (i *Issuer) PersonToken(caller privacy.Caller, person string, ttl time.Duration, now time.Time) (string, error) {
	held := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    i.name,
			Audience:  jwt.ClaimStrings{i.audience},
			Subject:   person,
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
		ClientID: string(caller.Client),
		Roles:    caller.Roles,
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, held)
	token.Header["kid"] = i.keyID
	signed, err := token.SignedString(i.key)
	if err != nil {
		return "", privacy.Internal(err, "sign a token")
	}
	return signed, nil
}

// JWKS gives the public key as a JSON Web Key Set (RFC 7517, RFC 8037).
func (i *Issuer) JWKS() []byte {
	return fmt.Appendf(nil, `{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":%q,"x":%q}]}`,
		i.keyID, base64.RawURLEncoding.EncodeToString(publicPart(i.key)))
}

func publicPart(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey) // by the method's contract
}

// thumbprint names a key by its content (RFC 7638, with the members of RFC 8037 §2), so
// that a new key never goes by an old key's name.
func thumbprint(key ed25519.PublicKey) string {
	members := fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, base64.RawURLEncoding.EncodeToString(key))
	digest := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
