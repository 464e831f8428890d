package keyring

import (
	"context"
	"errors"
	"net/http"
	"time"

	hcvault "github.com/hashicorp/vault/api"
)

// prepare makes the mounts and the Transit keys that are missing.
func (b *vaultBackend) prepare(ctx context.Context, fresh bool) error {
	if err := b.ensureMounts(ctx); err != nil {
		return err
	}
	if err := b.awaitKV(ctx); err != nil {
		return err
	}
	if err := b.ensureKey(ctx, kekKey, "aes256-gcm96", fresh); err != nil {
		return err
	}
	return b.ensureKey(ctx, signKey, "ed25519", fresh)
}

// ensureMounts mounts what is missing. Whoever may not look at the mounts is taken to have
// found them set up; if they are not, the first record cannot be written.
func (b *vaultBackend) ensureMounts(ctx context.Context) error {
	mounts, err := ask(ctx, b.session, func(v *hcvault.Client) (map[string]*hcvault.MountOutput, error) {
		return v.Sys().ListMountsWithContext(ctx)
	})
	if isStatus(err, http.StatusForbidden) {
		return nil
	}
	if err != nil {
		return vaultError(err)
	}
	if mounts[b.kv+"/"] == nil {
		kv := &hcvault.MountInput{Type: "kv", Options: map[string]string{"version": "2"}, Description: "Consentry: wrapped key pages"}
		if err := b.mount(ctx, b.kv, kv); err != nil {
			return err
		}
	}
	if mounts[b.transit+"/"] == nil {
		return b.mount(ctx, b.transit, &hcvault.MountInput{Type: "transit", Description: "Consentry: the key-encryption and signing keys"})
	}
	return nil
}

func (b *vaultBackend) mount(ctx context.Context, path string, mount *hcvault.MountInput) error {
	_, err := ask(ctx, b.session, func(v *hcvault.Client) (struct{}, error) {
		return struct{}{}, v.Sys().MountWithContext(ctx, path, mount)
	})
	if isStatus(err, http.StatusBadRequest) {
		return nil // somebody else mounted it just now
	}
	return vaultError(err)
}

// A fresh KV mount answers "bad request" for a moment, while it prepares itself.
const (
	kvPatience = 10 * time.Second
	kvPause    = 50 * time.Millisecond
)

func (b *vaultBackend) awaitKV(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kvPatience)
	defer cancel()
	pause := time.NewTicker(kvPause)
	defer pause.Stop()
	for {
		_, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.KVSecret, error) {
			return v.KVv2(b.kv).Get(ctx, indexRecord)
		})
		if err == nil || errors.Is(err, hcvault.ErrSecretNotFound) {
			return nil
		}
		if !isStatus(err, http.StatusBadRequest) {
			return vaultError(err)
		}
		select {
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-pause.C:
		}
	}
}

// ensureKey makes a Transit key. Transit keys are neither exportable nor deletable
// unless somebody says so.
func (b *vaultBackend) ensureKey(ctx context.Context, name, kind string, fresh bool) error {
	if _, err := b.transitKey(ctx, name); !errors.Is(err, ErrNotInitialised) {
		return err
	}
	if !fresh {
		return ErrKeysLost
	}
	_, err := b.post(ctx, "keys/"+name, map[string]any{"type": kind, "exportable": false})
	return vaultError(err)
}
