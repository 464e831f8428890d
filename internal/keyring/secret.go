package keyring

import (
	"context"
	"errors"
)

// secretFolder keeps the places of secrets apart from those of pages and keys, so that none of them ever unwraps
// as another.
const secretFolder = "secrets/"

// SealSecret wraps a small secret of the service, such as the key that a processor's events are signed
// with, for keeping in the database. It is wrapped by the KEK with its place as associated data: one that is put
// in another's place does not open. Unlike pages, secrets are not wrapped anew when the KEK is rotated, which keeps
// its older versions; they are replaced by being rotated themselves.
func (k *Keyring) SealSecret(ctx context.Context, place string, secret []byte) (sealed string, err error) {
	return k.backend.wrap(ctx, secret, secretFolder+place)
}

// OpenSecret opens what SealSecret gave for the same place. It fails with [ErrNotAuthentic],
// [ErrKeysLost] or [ErrUnavailable].
func (k *Keyring) OpenSecret(ctx context.Context, place, sealed string) ([]byte, error) {
	secret, err := k.backend.unwrap(ctx, sealed, secretFolder+place)
	if errors.Is(err, errUnwrap) {
		return nil, ErrNotAuthentic
	}
	return secret, err
}
