package keyring

import (
	"context"
	"errors"
	"fmt"

	"github.com/consentry/consentry/internal/privacy"
)

// Init makes what a keyring consists of, where it is missing: the mounts (which needs
// privileges that the running service lacks), the KEK, the signing key, and the keys
// for indexes, suppression and tokens. It may be run again at any time and by several at once. When
// there are pages already it makes no key: one that is missing then is lost, and a fresh
// one would make its loss permanent ([ErrKeysLost]).
func (k *Keyring) Init(ctx context.Context) error {
	pages, err := k.backend.list(ctx, pageFolder)
	if err != nil && !errors.Is(err, errAbsent) {
		return fmt.Errorf("look for pages: %w", err)
	}
	fresh := len(pages) == 0
	if err := k.backend.prepare(ctx, fresh); err != nil {
		return fmt.Errorf("prepare the keyring: %w", err)
	}
	for _, name := range []string{indexRecord, suppressionRecord, tokenRecord} {
		if err := k.ensureSecret(ctx, name, fresh); err != nil {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	return nil
}

func (k *Keyring) ensureSecret(ctx context.Context, name string, fresh bool) error {
	if _, err := k.secret(ctx, name); !errors.Is(err, ErrNotInitialised) {
		return err
	}
	if !fresh {
		return ErrKeysLost
	}
	secret, err := drawKey(k.random)
	if err != nil {
		return privacy.Internal(err, "make a key")
	}
	if _, err := k.writeFirst(ctx, name, secret[:]); err != nil {
		return err
	}
	// Somebody may have been first, or the record is there but deleted.
	if _, err := k.secret(ctx, name); errors.Is(err, ErrNotInitialised) {
		return ErrKeysLost
	} else if err != nil {
		return err
	}
	return nil
}
