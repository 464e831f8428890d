package keyring_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	hcvault "github.com/hashicorp/vault/api"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/testenv"
)

// withLogin gives the same place to whoever logs in through an AppRole of the test's own.
func (p vaultPlace) withLogin(t *testing.T, settings map[string]any) vaultPlace {
	t.Helper()
	policy, mount := p.policy(t, withoutDestroy), testenv.Mount("approle")
	err := p.root.Sys().EnableAuthWithOptionsWithContext(t.Context(), mount, &hcvault.EnableAuthOptions{Type: "approle"})
	if err != nil {
		t.Fatal(err)
	}
	role := map[string]any{"token_policies": policy}
	maps.Copy(role, settings)
	p.write(t, "auth/"+mount+"/role/service", role)
	id, err := p.root.Logical().ReadWithContext(t.Context(), "auth/"+mount+"/role/service/role-id")
	if err != nil {
		t.Fatal(err)
	}
	secret := p.write(t, "auth/"+mount+"/role/service/secret-id", nil)
	p.config.Auth = keyring.VaultAuth{
		Method:   keyring.AuthAppRole,
		Mount:    mount,
		RoleID:   id.Data["role_id"].(string),
		SecretID: keyring.Secret(secret["secret_id"].(string)),
	}
	return p
}

// revoke ends every token that log-ins gave.
func (p vaultPlace) revoke(t *testing.T) {
	t.Helper()
	if err := p.root.Sys().RevokePrefixWithContext(t.Context(), "auth/"+p.config.Auth.Mount+"/login"); err != nil {
		t.Fatal(err)
	}
}

// leases names the tokens that log-ins gave and that are still good.
func (p vaultPlace) leases(t *testing.T) []string {
	t.Helper()
	request := p.root.NewRequest("LIST", "/v1/sys/leases/lookup/auth/"+p.config.Auth.Mount+"/login/")
	response, err := p.root.RawRequestWithContext(t.Context(), request) //nolint:staticcheck // Logical has no list with sudo
	if response == nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read whole or not at all
	if response.StatusCode == http.StatusNotFound {
		return nil
	}
	secret, err := hcvault.ParseSecret(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range secret.Data["keys"].([]any) {
		names = append(names, name.(string))
	}
	return names
}

func TestRevokedLoginIsReplaced(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	mustEnsure(t, mustOpen(t, p.open), 0)
	p = p.withLogin(t, nil)
	var clock testClock
	k, err := p.open(t, keyring.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close() //nolint:errcheck // gives none
	for range 2 {
		p.revoke(t)
		clock.advance(time.Second)
		k.Forget()
		if _, err := k.Subject(t.Context(), personAt(1), 1); err != nil {
			t.Errorf("after the token was revoked: %v", err)
		}
	}
	p.revoke(t)
	k.Forget()
	_, err = k.Subject(t.Context(), personAt(1), 1)
	wantErr(t, "a refusal right after a log-in", err, keyring.ErrUnavailable)
}

func TestWithdrawnLoginMakesTheKeyringUnavailable(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	mustEnsure(t, mustOpen(t, p.open), 0)
	p = p.withLogin(t, nil)
	k := mustOpen(t, func(t *testing.T, o keyring.Options) (*keyring.Keyring, error) {
		o.Init = false
		return p.open(t, o)
	})
	if _, err := p.root.Logical().DeleteWithContext(t.Context(), "auth/"+p.config.Auth.Mount+"/role/service"); err != nil {
		t.Fatal(err)
	}
	p.revoke(t)
	_, err := k.Subject(t.Context(), personAt(1), 1)
	wantErr(t, "Subject", err, keyring.ErrUnavailable)
	_, err = p.open(t, keyring.Options{})
	wantErr(t, "OpenVault", err, keyring.ErrUnavailable)
}

// A token of two seconds that may live for three has to be renewed once and then replaced.
func TestTokenIsRenewedAndReplacedAtItsGreatestAge(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	mustEnsure(t, mustOpen(t, p.open), 0)
	p = p.withLogin(t, map[string]any{"token_ttl": "2s", "token_max_ttl": "3s"})
	k, err := p.open(t, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close() //nolint:errcheck // gives none
	first := p.leases(t)
	if len(first) != 1 {
		t.Fatalf("%d tokens after one log-in", len(first))
	}
	// Nobody uses the keyring meanwhile, so only its own care can have logged in anew.
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for now := first; len(now) == 0 || slices.Contains(now, first[0]); now = p.leases(t) {
		select {
		case <-deadline.C:
			t.Fatal("no new log-in")
		case <-look.C:
		}
	}
	if _, err := k.Subject(t.Context(), personAt(1), 1); err != nil {
		t.Error(err)
	}
}

// Kubernetes replaces a service account's token while we run; each log-in must use the
// one of the day. The Vault here is a stand-in, since the real one needs a cluster to ask.
func TestKubernetesLoginReadsTheTokenAnew(t *testing.T) {
	t.Parallel()
	jwt := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(jwt, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write("monday")
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/auth/kubernetes/login" {
			http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
			return
		}
		var body struct{ Role, JWT string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Role != "consentry" {
			t.Errorf("role %q, %v", body.Role, err)
		}
		sent = append(sent, body.JWT)
		write("tuesday")
		_, _ = fmt.Fprintf(w, `{"auth":{"client_token":"t%d","lease_duration":3600}}`, len(sent))
	}))
	defer server.Close()
	_, err := keyring.OpenVault(t.Context(), keyring.VaultConfig{
		Address: server.URL,
		Auth:    keyring.VaultAuth{Method: keyring.AuthKubernetes, Role: "consentry", JWTFile: jwt},
	}, keyring.Options{})
	wantErr(t, "OpenVault against a Vault that refuses all but log-ins", err, keyring.ErrUnavailable)
	if !slices.Equal(sent, []string{"monday", "tuesday"}) {
		t.Errorf("logged in with %v", sent)
	}
}
