package keyring_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	hcvault "github.com/hashicorp/vault/api"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/testenv"
)

// vaultPlace is a pair of mounts of a test's own, and the root's client to look behind
// the keyring's back.
type vaultPlace struct {
	config keyring.VaultConfig
	root   *hcvault.Client
}

func newVaultPlace(t *testing.T) vaultPlace {
	t.Helper()
	addr, token := testenv.Vault(t)
	return vaultPlaceAt(t, addr, token, testenv.Mount("consentry"), testenv.Mount("transit"))
}

func vaultPlaceAt(t *testing.T, addr, token, kv, transit string) vaultPlace {
	t.Helper()
	settings := hcvault.DefaultConfig()
	settings.Address = addr
	root, err := hcvault.NewClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	root.SetToken(token)
	return vaultPlace{root: root, config: keyring.VaultConfig{
		Address: addr, KVMount: kv, TransitMount: transit,
		Auth: keyring.VaultAuth{Method: keyring.AuthToken, Token: keyring.Secret(token)},
	}}
}

func (p vaultPlace) open(t *testing.T, o keyring.Options) (*keyring.Keyring, error) {
	return keyring.OpenVault(t.Context(), p.config, o)
}

func (p vaultPlace) kv() *hcvault.KVv2 { return p.root.KVv2(p.config.KVMount) }

func (p vaultPlace) write(t *testing.T, path string, data map[string]any) map[string]any {
	t.Helper()
	secret, err := p.root.Logical().WriteWithContext(t.Context(), path, data)
	if err != nil {
		t.Fatal(err)
	}
	if secret == nil {
		return nil
	}
	return secret.Data
}

// policy writes a policy with the mounts' names filled in.
func (p vaultPlace) policy(t *testing.T, rules string) (name string) {
	t.Helper()
	name = testenv.Mount("policy")
	rules = strings.NewReplacer("KV/", p.config.KVMount+"/", "TRANSIT/", p.config.TransitMount+"/").Replace(rules)
	if err := p.root.Sys().PutPolicyWithContext(t.Context(), name, rules); err != nil {
		t.Fatal(err)
	}
	return name
}

// token makes a token that may do what the rules say.
func (p vaultPlace) token(t *testing.T, rules string) string {
	t.Helper()
	request := &hcvault.TokenCreateRequest{Policies: []string{p.policy(t, rules)}}
	secret, err := p.root.Auth().Token().CreateWithContext(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Auth.ClientToken
}

// versions gives the versions of a record and whether each is destroyed.
func (p vaultPlace) versions(t *testing.T, name string) map[int]bool {
	t.Helper()
	all, err := p.kv().GetVersionsAsList(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	destroyed := make(map[int]bool)
	for _, version := range all {
		destroyed[version.Version] = version.Destroyed
	}
	return destroyed
}

func TestLaw4PuncturedVersionsAreDestroyed(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	k := mustOpen(t, p.open)
	mustEnsure(t, k, 0)
	if err := k.Puncture(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := k.Puncture(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got := p.versions(t, "pages/0"); len(got) != 3 || !got[1] || !got[2] || got[3] {
		t.Fatalf("version → destroyed: %v", got)
	}
	if err := p.kv().Undelete(t.Context(), "pages/0", []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	for version := 1; version <= 2; version++ {
		secret, err := p.kv().GetVersion(t.Context(), "pages/0", version)
		if err == nil && secret.Data != nil {
			t.Errorf("version %d can still be read", version)
		}
	}
}

// withoutDestroy lets a puncture come as far as a crash between write and destroy would.
const withoutDestroy = `
path "KV/data/*"     { capabilities = ["create", "read", "update"] }
path "KV/metadata/*" { capabilities = ["read", "list"] }
path "TRANSIT/*"     { capabilities = ["read", "update"] }`

func TestSweepFinishesAPunctureCutShort(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(context.Context, *keyring.Keyring) error{
		"by Sweep": func(ctx context.Context, k *keyring.Keyring) error {
			report, err := k.Sweep(ctx)
			if err == nil && (report.Finished != 1 || report.Destroyed != 1 || report.Pages != 2) {
				return errors.New("the report says otherwise")
			}
			return err
		},
		"by repeating it": func(ctx context.Context, k *keyring.Keyring) error { return k.Puncture(ctx, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newVaultPlace(t)
			whole := mustOpen(t, p.open)
			mustEnsure(t, whole, 0, 1)
			sealed := seal(t, whole, 2)

			cut := p
			cut.config.Auth.Token = keyring.Secret(p.token(t, withoutDestroy))
			k := mustOpen(t, cut.open)
			if err := opens(t, k, 2, sealed); err != nil {
				t.Fatal(err)
			}
			wantErr(t, "a puncture cut short", k.Puncture(t.Context(), 1), keyring.ErrUnavailable)
			// Even so this node does not go on with the page it had in memory.
			_, err := k.Subject(t.Context(), personAt(1), 1)
			wantErr(t, "the subject", err, keyring.ErrPunctured)
			if got := p.versions(t, "pages/0"); len(got) != 2 || got[1] {
				t.Fatalf("version → destroyed: %v", got)
			}
			if report, err := whole.Verify(t.Context()); err != nil || len(report.Unsettled) != 1 {
				t.Errorf("Verify: %+v, %v", report, err)
			}
			if err := finish(t.Context(), whole); err != nil {
				t.Fatal(err)
			}
			if got := p.versions(t, "pages/0"); len(got) != 2 || !got[1] || got[2] {
				t.Errorf("version → destroyed: %v", got)
			}
			if err := opens(t, whole, 2, sealed); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDamagedPagesAreReportedAndKept(t *testing.T) {
	t.Parallel()
	wrapped := func(t *testing.T, p vaultPlace, plain []byte, place string) map[string]any {
		data := p.write(t, p.config.TransitMount+"/encrypt/consentry-kek", map[string]any{
			"plaintext":       base64.StdEncoding.EncodeToString(plain),
			"associated_data": base64.StdEncoding.EncodeToString([]byte(place)),
		})
		return map[string]any{"wrapped": data["ciphertext"]}
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, p vaultPlace) error
		want   error
	}{
		"garbage": {func(t *testing.T, p vaultPlace) error {
			_, err := p.kv().Put(t.Context(), "pages/0", map[string]any{"wrapped": "vault:v1:AAAA"})
			return err
		}, keyring.ErrPageCorrupt},
		"no ciphertext": {func(t *testing.T, p vaultPlace) error {
			_, err := p.kv().Put(t.Context(), "pages/0", map[string]any{"wrapped": 7})
			return err
		}, keyring.ErrPageCorrupt},
		"another field": {func(t *testing.T, p vaultPlace) error {
			_, err := p.kv().Put(t.Context(), "pages/0", map[string]any{"page": "x"})
			return err
		}, keyring.ErrPageCorrupt},
		"another page in its place": {func(t *testing.T, p vaultPlace) error {
			other, err := p.kv().Get(t.Context(), "pages/1")
			if err != nil {
				return err
			}
			_, err = p.kv().Put(t.Context(), "pages/0", other.Data)
			return err
		}, keyring.ErrPageCorrupt},
		"malformed": {func(t *testing.T, p vaultPlace) error {
			_, err := p.kv().Put(t.Context(), "pages/0", wrapped(t, p, []byte{1, 0, 1, 0}, "pages/0"))
			return err
		}, keyring.ErrPageCorrupt},
		"deleted": {func(t *testing.T, p vaultPlace) error {
			return p.kv().Delete(t.Context(), "pages/0")
		}, keyring.ErrPageMissing},
		"destroyed": {func(t *testing.T, p vaultPlace) error {
			return p.kv().Destroy(t.Context(), "pages/0", []int{1})
		}, keyring.ErrPageMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newVaultPlace(t)
			k := mustOpen(t, p.open)
			mustEnsure(t, k, 0, 1)
			if err := c.damage(t, p); err != nil {
				t.Fatal(err)
			}
			before := p.versions(t, "pages/0")
			k.Forget()
			for range 2 {
				_, err := k.Subject(t.Context(), personAt(1), 1)
				wantErr(t, "Subject", err, c.want)
			}
			wantErr(t, "Puncture", k.Puncture(t.Context(), 1), c.want)
			if gone, err := k.Gone(t.Context(), 0); err != nil || gone != (name == "destroyed") {
				t.Errorf("it is gone: %v, %v", gone, err)
			}
			created, err := k.EnsurePage(t.Context(), 0)
			wantErr(t, "EnsurePage", err, c.want)
			if created {
				t.Error("a fresh key in place of a lost one")
			}
			if report, err := k.Verify(t.Context()); err != nil || len(report.Damaged) != 1 || report.Damaged[0] != 0 {
				t.Errorf("Verify: %+v, %v", report, err)
			}
			if _, err := k.Sweep(t.Context()); err != nil {
				t.Errorf("Sweep: %v", err)
			}
			if after := p.versions(t, "pages/0"); len(after) != len(before) || after[1] != before[1] {
				t.Errorf("versions before %v, after %v", before, after)
			}
			if _, err := k.Subject(t.Context(), personAt(4096), 4096); err != nil {
				t.Errorf("the page beside it: %v", err)
			}
		})
	}
}

// Somebody who may write and wrap puts a page of their own over ours: well formed, but
// not made of it by a puncture. What it replaced must not be destroyed.
func TestSweepKeepsWhatAForeignPageReplaced(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	k := mustOpen(t, p.open)
	mustEnsure(t, k, 0)
	foreign := append([]byte{1, 0, 1, 0, 0}, make([]byte, 32)...)
	data := p.write(t, p.config.TransitMount+"/encrypt/consentry-kek", map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(foreign),
		"associated_data": base64.StdEncoding.EncodeToString([]byte("pages/0")),
	})
	if _, err := p.kv().Put(t.Context(), "pages/0", map[string]any{"wrapped": data["ciphertext"]}); err != nil {
		t.Fatal(err)
	}
	report, err := k.Sweep(t.Context())
	if err != nil || len(report.Damaged) != 1 || report.Finished != 0 {
		t.Errorf("Sweep: %+v, %v", report, err)
	}
	if p.versions(t, "pages/0")[1] {
		t.Error("the good version was destroyed")
	}
}

func TestInitReplacesNoLostKey(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, p vaultPlace){
		"index key deleted": func(t *testing.T, p vaultPlace) {
			if err := p.kv().DeleteMetadata(t.Context(), "keys/index"); err != nil {
				t.Fatal(err)
			}
		},
		"token key deleted, can be undone": func(t *testing.T, p vaultPlace) {
			if err := p.kv().Delete(t.Context(), "keys/token"); err != nil {
				t.Fatal(err)
			}
		},
		"KEK deleted": func(t *testing.T, p vaultPlace) {
			p.write(t, p.config.TransitMount+"/keys/consentry-kek/config", map[string]any{"deletion_allowed": true})
			if _, err := p.root.Logical().DeleteWithContext(t.Context(), p.config.TransitMount+"/keys/consentry-kek"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newVaultPlace(t)
			k := mustOpen(t, p.open)
			mustEnsure(t, k, 0)
			lose(t, p)
			wantErr(t, "Init", k.Init(t.Context()), keyring.ErrKeysLost)
			if _, err := p.open(t, keyring.Options{}); err == nil {
				t.Error("the keyring opens")
			}
		})
	}
}

func TestMissingKEKIsNotADamagedPage(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	k := mustOpen(t, p.open)
	mustEnsure(t, k, 0)
	k.Forget()
	p.write(t, p.config.TransitMount+"/keys/consentry-kek/config", map[string]any{"deletion_allowed": true})
	if _, err := p.root.Logical().DeleteWithContext(t.Context(), p.config.TransitMount+"/keys/consentry-kek"); err != nil {
		t.Fatal(err)
	}
	_, err := k.Subject(t.Context(), personAt(1), 1)
	wantErr(t, "Subject", err, keyring.ErrKeysLost)
}
