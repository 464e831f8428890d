package keyring_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

func TestRevokedPlainTokenMakesTheKeyringUnavailable(t *testing.T) {
	t.Parallel()
	p := newVaultPlace(t)
	mustEnsure(t, mustOpen(t, p.open), 0)
	token := p.token(t, withoutDestroy)
	p.config.Auth.Token = keyring.Secret(token)
	var clock testClock
	k, err := keyring.OpenVault(t.Context(), p.config, keyring.Options{Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close() //nolint:errcheck // gives none
	if err := k.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.root.Auth().Token().RevokeTreeWithContext(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(t.Context()); err != nil {
		t.Errorf("the answer of a moment ago does not hold: %v", err)
	}
	clock.advance(time.Second)
	wantErr(t, "Ready", k.Ready(t.Context()), keyring.ErrUnavailable)
	_, err = k.Subject(t.Context(), personAt(1), 1)
	wantErr(t, "Subject", err, keyring.ErrUnavailable)
	if strings.Contains(err.Error(), token) {
		t.Error("the error tells the token")
	}
	_, _, err = k.Sign(t.Context(), []byte("x"))
	wantErr(t, "Sign", err, keyring.ErrUnavailable)
	status, err := k.Status(t.Context())
	wantErr(t, "Status", err, keyring.ErrUnavailable)
	if status.Reachable {
		t.Error("Status says it is reachable")
	}
}

func TestSealedAndStoppedVault(t *testing.T) {
	t.Parallel()
	server := testenv.OwnVault(t)
	p := vaultPlaceAt(t, server.Addr(), server.RootToken(), "consentry", "transit")
	p.config.Timeout = 2 * time.Second
	k := mustOpen(t, p.open)
	mustEnsure(t, k, 0)
	sealed := seal(t, k, 1)
	k.Forget()

	if err := server.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	wantErr(t, "Ready while sealed", k.Ready(t.Context()), keyring.ErrUnavailable)
	wantErr(t, "Subject while sealed", opens(t, k, 1, sealed), keyring.ErrUnavailable)
	_, err := k.EnsurePage(t.Context(), 1)
	wantErr(t, "EnsurePage while sealed", err, keyring.ErrUnavailable)
	wantErr(t, "Puncture while sealed", k.Puncture(t.Context(), 1), keyring.ErrUnavailable)
	if took := time.Since(began); took > 4*p.config.Timeout {
		t.Errorf("took %v to say so", took)
	}
	if err := server.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, k, 1, sealed); err != nil {
		t.Errorf("after unsealing: %v", err)
	}

	k.Forget()
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "Subject while down", opens(t, k, 1, sealed), keyring.ErrUnavailable)
}

func TestStalledVaultIsGivenUp(t *testing.T) {
	t.Parallel()
	server := testenv.OwnVault(t)
	p := vaultPlaceAt(t, server.Addr(), server.RootToken(), "consentry", "transit")
	p.config.Timeout = time.Second
	k := mustOpen(t, p.open)
	mustEnsure(t, k, 0)
	sealed := seal(t, k, 1)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, k, 1, sealed); err != nil {
		t.Errorf("a page in memory: %v", err)
	}
	k.Forget()
	began := time.Now()
	wantErr(t, "Subject", opens(t, k, 1, sealed), keyring.ErrUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := k.Subject(ctx, personAt(1), 1)
	wantErr(t, "Subject with an impatient caller", err, context.DeadlineExceeded)
	if took := time.Since(began); took > 3*p.config.Timeout {
		t.Errorf("took %v to give up", took)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := opens(t, k, 1, sealed); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// A listener that takes connections and never answers is all that opening may meet.
func TestOpeningAStalledVaultIsGivenUp(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // a test's
	began := time.Now()
	_, err = keyring.OpenVault(t.Context(), keyring.VaultConfig{
		Address: "http://" + listener.Addr().String(), Timeout: 300 * time.Millisecond,
		Auth: keyring.VaultAuth{Method: keyring.AuthToken, Token: "t"},
	}, keyring.Options{})
	wantErr(t, "OpenVault", err, keyring.ErrUnavailable)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v to give up", took)
	}
}

func TestConfigMistakesAreToldWithoutAsking(t *testing.T) {
	for name, auth := range map[string]keyring.VaultAuth{
		"no method":     {},
		"no token":      {Method: keyring.AuthToken},
		"no role id":    {Method: keyring.AuthAppRole, SecretID: "s"},
		"no secret id":  {Method: keyring.AuthAppRole, RoleID: "r"},
		"no jwt":        {Method: keyring.AuthKubernetes, Role: "r", JWTFile: "/nowhere/token"},
		"a wrong guess": {Method: "userpass"},
	} {
		_, err := keyring.OpenVault(t.Context(), keyring.VaultConfig{Address: "http://127.0.0.1:1", Auth: auth}, keyring.Options{})
		if privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
