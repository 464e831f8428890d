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
	return &signer{keyring: keys, keys: signingKeys{keyring: keys, now: now, asking: make(chan struct{}, 1)}}
}

// signAll makes compact JWS of payloads, under the newest key. Which one that is, is in the header and so in what is signed: when the key
// has been rotated since it was last looked at, everything is signed once more.
func (s *signer) signAll(ctx context.Context, mediaType string, payloads []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, signWithin)
	defer cancel()
	version, err := s.keys.newest(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		header, err := s.keys.header(ctx, version, mediaType)
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

// signingKeys remembers the public halves of the key that signs. Whoever has to ask for them asks alone, and holds up nobody
// who can do with what is known.
type signingKeys struct {
	keyring *keyring.Keyring
	now     func() time.Time
	asking  chan struct{} // held by who asks

	mu      sync.Mutex // never held while asking
	publics map[int]ed25519.PublicKey
	asked   time.Time // last tried
}

// keysFresh is how long another node's rotation may go unnoticed by who asks for the keys.
const keysFresh = time.Minute

// newest gives the number of the newest version known here.
func (k *signingKeys) newest(ctx context.Context) (int, error) {
	publics, err := k.with(ctx, func(publics map[int]ed25519.PublicKey) bool { return len(publics) > 0 })
	if err != nil {
		return 0, err
	}
	return slices.Max(slices.Collect(maps.Keys(publics))), nil
}

// header gives the protected header for a version.
func (k *signingKeys) header(ctx context.Context, version int, mediaType string) (string, error) {
	publics, err := k.with(ctx, func(publics map[int]ed25519.PublicKey) bool { return publics[version] != nil })
	if err != nil {
		return "", err
	}
	return receipt.Header(receipt.Thumbprint(publics[version]), mediaType), nil
}

// all gives every version. When the keyring is away, or somebody else is asking it, those known here still verify what
// they signed.
func (k *signingKeys) all(ctx context.Context) (receipt.Keys, error) {
	publics, asked := k.known()
	if len(publics) == 0 {
		var err error
		if publics, err = k.with(ctx, func(publics map[int]ed25519.PublicKey) bool { return len(publics) > 0 }); err != nil {
			return nil, err
		}
	} else if k.now().Sub(asked) > keysFresh {
		select {
		case k.asking <- struct{}{}:
			_ = k.ask(ctx)
			<-k.asking
			publics, _ = k.known()
		default:
		}
	}
	return receipt.NewKeys(slices.Collect(maps.Values(publics))...), nil
}

// with gives the keys once they are enough, asking for them once if they are not.
func (k *signingKeys) with(ctx context.Context, enough func(map[int]ed25519.PublicKey) bool) (map[int]ed25519.PublicKey, error) {
	publics, _ := k.known()
	if enough(publics) {
		return publics, nil
	}
	select {
	case k.asking <- struct{}{}:
		defer func() { <-k.asking }()
	case <-ctx.Done():
		return nil, privacy.Unavailable(context.Cause(ctx), "keyring_unavailable", "the keyring did not answer in time; try again")
	}
	if publics, _ = k.known(); !enough(publics) { // who was before us may have brought them
		if err := k.ask(ctx); err != nil {
			return nil, err
		}
		publics, _ = k.known()
	}
	if !enough(publics) {
		return nil, privacy.Unavailable(nil, "signing_key_unknown", "the signing key is being rotated; try again")
	}
	return publics, nil
}

func (k *signingKeys) known() (publics map[int]ed25519.PublicKey, asked time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.publics, k.asked // the map is replaced, never changed
}

func (k *signingKeys) ask(ctx context.Context) error {
	publics, err := k.keyring.PublicKeys(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = k.now()
	if err == nil {
		k.publics = publics
	}
	return err
}
