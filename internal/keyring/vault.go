package keyring

import (
	"context"
	"errors"
	"fmt"

	hcvault "github.com/hashicorp/vault/api"
)

// OpenVault opens the keyring that a Vault holds: it logs in, keeps the token alive until
// Close, and loads the keys of the indexes. It fails with [ErrNotInitialised] when Init was never
// run and Options.Init does not ask for it.
func OpenVault(ctx context.Context, c VaultConfig, o Options) (*Keyring, error) {
	c, o = c.withDefaults(), o.withDefaults()
	method, err := c.Auth.method()
	if err != nil {
		return nil, err
	}
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	s, err := openSession(ctx, client, method, o)
	if err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	return open(ctx, &vaultBackend{session: s, kv: c.KVMount, transit: c.TransitMount}, o)
}

// vaultBackend keeps records in KV version 2 and lets Transit wrap and sign.
type vaultBackend struct {
	session     *session
	kv, transit string
}

func (b *vaultBackend) name() string { return "vault" }
func (b *vaultBackend) close()       { b.session.close() }

// ready is one request that fails when Vault is away, sealed or does not know the token.
func (b *vaultBackend) ready(ctx context.Context) error {
	_, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.Secret, error) {
		return v.Auth().Token().LookupSelfWithContext(ctx)
	})
	return vaultError(err)
}

func (b *vaultBackend) read(ctx context.Context, name string) (record, error) {
	return b.get(ctx, name, func(kv *hcvault.KVv2) (*hcvault.KVSecret, error) { return kv.Get(ctx, name) })
}

func (b *vaultBackend) readVersion(ctx context.Context, name string, version int) (record, error) {
	return b.get(ctx, name, func(kv *hcvault.KVv2) (*hcvault.KVSecret, error) { return kv.GetVersion(ctx, name, version) })
}

// field is what the wrapped thing is called inside its KV record.
const field = "wrapped"

func (b *vaultBackend) get(ctx context.Context, name string, get func(*hcvault.KVv2) (*hcvault.KVSecret, error)) (record, error) {
	secret, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.KVSecret, error) { return get(v.KVv2(b.kv)) })
	if errors.Is(err, hcvault.ErrSecretNotFound) {
		return record{}, errAbsent
	}
	if err != nil {
		return record{}, vaultError(err)
	}
	if secret.VersionMetadata == nil || secret.Data == nil {
		return record{}, errAbsent // deleted or destroyed
	}
	wrapped, ok := secret.Data[field].(string)
	if !ok {
		return record{}, fmt.Errorf("%w: %s holds something else", errUnwrap, name)
	}
	return record{wrapped, secret.VersionMetadata.Version}, nil
}

func (b *vaultBackend) write(ctx context.Context, name, wrapped string, newest int) (int, error) {
	secret, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.KVSecret, error) {
		return v.KVv2(b.kv).Put(ctx, name, map[string]any{field: wrapped}, hcvault.WithCheckAndSet(newest))
	})
	if isRefusal(err, "check-and-set") {
		return 0, errConflict
	}
	if err != nil {
		return 0, vaultError(err)
	}
	if secret.VersionMetadata == nil {
		return 0, unavailable(errors.New("no version in the answer to a write"))
	}
	return secret.VersionMetadata.Version, nil
}

func (b *vaultBackend) versions(ctx context.Context, name string) ([]int, error) {
	all, err := ask(ctx, b.session, func(v *hcvault.Client) ([]hcvault.KVVersionMetadata, error) {
		return v.KVv2(b.kv).GetVersionsAsList(ctx, name)
	})
	if errors.Is(err, hcvault.ErrSecretNotFound) {
		return nil, nil
	}
	var kept []int
	for _, version := range all {
		if !version.Destroyed {
			kept = append(kept, version.Version)
		}
	}
	return kept, vaultError(err)
}

func (b *vaultBackend) destroy(ctx context.Context, name string, versions []int) error {
	_, err := ask(ctx, b.session, func(v *hcvault.Client) (struct{}, error) {
		return struct{}{}, v.KVv2(b.kv).Destroy(ctx, name, versions)
	})
	return vaultError(err)
}

func (b *vaultBackend) list(ctx context.Context, folder string) ([]string, error) {
	secret, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.Secret, error) {
		return v.Logical().ListWithContext(ctx, b.kv+"/metadata/"+folder)
	})
	if err != nil || secret == nil {
		return nil, vaultError(err)
	}
	listed, _ := secret.Data["keys"].([]any)
	names := make([]string, 0, len(listed))
	for _, item := range listed {
		name, _ := item.(string)
		names = append(names, name)
	}
	return names, nil
}
