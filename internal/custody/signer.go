package custody

import (
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// signer signs receipts, any number in one call of the keyring: the call costs more than the signatures.
type signer struct {
	keyring *keyring.Keyring
	keys    signingKeys
}

// signWithin bounds one call of the keyring: a receipt is not worth a longer wait.
const signWithin = 3 * time.Second

func newSigner(keys *keyring.Keyring, now func() time.Time) *signer {
	return &signer{keyring: keys, keys: signingKeys{keyring: keys, now: now}}
}

// signAll makes compact JWS of payloads, under the newest key. Which one that is, is in the header and so in what is signed: when the key
// has been rotated since it was last looked at, everything is signed once more.
func (s *signer) signAll(ctx context.Context, payloads []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, signWithin)
	defer cancel()
	version, err := s.keys.newest(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		header, err := s.keys.header(ctx, version)
		if err != nil {
			return nil, err
		}
		inputs := make([][]byte, len(payloads))
		for i, payload := range payloads {
			inputs[i] = receipt.SigningInput(header, payload)
		}
		signatures, by, err := s.keyring.SignAll(ctx, inputs)
		if err != nil {
			return nil, err
		}
		if by == version {
			jws := make([]string, len(inputs))
			for i := range inputs {
				jws[i] = receipt.Compact(inputs[i], signatures[i])
			}
			return jws, nil
		}
		version = by
	}
	return nil, privacy.Unavailable(nil, "signing_key_rotated", "the signing key is being rotated; try again")
}

// signingKeys remembers the public halves of the key that signs.
type signingKeys struct {
	keyring *keyring.Keyring
	now     func() time.Time

	mu      sync.Mutex
	publics map[int]ed25519.PublicKey
	asked   time.Time
}

// keysFresh is how long another node's rotation may go unnoticed by who asks for the keys.
const keysFresh = time.Minute

// newest gives the number of the newest version known here.
func (k *signingKeys) newest(ctx context.Context) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.publics) == 0 {
		if err := k.ask(ctx); err != nil {
			return 0, err
		}
	}
	return slices.Max(slices.Collect(maps.Keys(k.publics))), nil
}

// header gives the protected header for a version.
func (k *signingKeys) header(ctx context.Context, version int) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.publics[version] == nil {
		if err := k.ask(ctx); err != nil {
			return "", err
		}
	}
	public, known := k.publics[version]
	if !known {
		return "", privacy.Unavailable(nil, "signing_key_unknown", "the signing key is being rotated; try again")
	}
	return receipt.Header(receipt.Thumbprint(public)), nil
}

// all gives every version. When the keyring is away, those known here still verify what they signed.
func (k *signingKeys) all(ctx context.Context) (receipt.Keys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); len(k.publics) == 0 || now.Sub(k.asked) > keysFresh {
		if err := k.ask(ctx); err != nil && len(k.publics) == 0 {
			return nil, err
		}
	}
	return receipt.NewKeys(slices.Collect(maps.Values(k.publics))...), nil
}

func (k *signingKeys) ask(ctx context.Context) error {
	publics, err := k.keyring.PublicKeys(ctx)
	if err == nil {
		k.publics, k.asked = publics, k.now()
	}
	return err
}
