package localserver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func startVault(t *testing.T, dir string) *Vault {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := StartVault(ctx, VaultConfig{Dir: dir})
	if errors.Is(err, ErrNoVault) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return server
}

// use works with the server as its root: a secrets engine to write to and read from.
func use(t *testing.T, v *Vault, method, path string, body string) error {
	t.Helper()
	return v.client.do(t.Context(), method, v.RootToken(), path, []byte(body), nil)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVaultInMemory(t *testing.T) {
	server := startVault(t, "")
	must(t, use(t, server, http.MethodPost, "sys/mounts/transit", `{"type":"transit"}`))
	must(t, use(t, server, http.MethodPost, "transit/keys/key", `{}`))

	must(t, server.Seal(t.Context()))
	if err := use(t, server, http.MethodGet, "transit/keys/key", ""); err == nil {
		t.Error("a sealed server answers")
	}
	must(t, server.Unseal(t.Context()))
	must(t, use(t, server, http.MethodGet, "transit/keys/key", ""))

	must(t, server.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := server.client.get(ctx, "sys/health", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused server answers: %v", err)
	}
	must(t, server.Resume())
	must(t, use(t, server, http.MethodGet, "transit/keys/key", ""))

	if _, err := os.Stat(server.home); err == nil {
		t.Error("a server in memory has something on disk that a kill would leave behind")
	}
	must(t, server.Pause()) // a paused server stops all the same
	must(t, server.Stop(t.Context()))
}

func TestVaultKeepsItsDataOverStopAndCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	server := startVault(t, dir)
	address, token := server.Addr(), server.RootToken()
	must(t, use(t, server, http.MethodPost, "sys/mounts/kv", `{"type":"kv","options":{"version":"2"}}`))
	awaitKV(t, server)

	must(t, server.Stop(t.Context()))
	must(t, server.Start(t.Context()))
	if server.Addr() != address || server.RootToken() != token {
		t.Error("the address or the token changed over a restart")
	}
	awaitKV(t, server)

	must(t, server.Crash())
	again := startVault(t, dir)
	if again.RootToken() != token {
		t.Error("the token changed over a crash")
	}
	awaitKV(t, again)

	info, err := os.Stat(filepath.Join(dir, "vault.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("vault.json: %v, %v", info, err)
	}
}

// awaitKV writes to the version 2 engine, which upgrades itself for a moment after it is
// mounted and refuses until then.
func awaitKV(t *testing.T, v *Vault) {
	t.Helper()
	must(t, v.process.await(t.Context(), func(context.Context) bool {
		return use(t, v, http.MethodPost, "kv/data/pages/1", `{"data":{"page":"x"}}`) == nil
	}))
}

func TestVaultSaysThatItsKeysAreLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	server := startVault(t, dir)
	must(t, server.Stop(t.Context()))
	must(t, os.Remove(filepath.Join(dir, "vault.json")))
	if err := server.Start(t.Context()); err == nil {
		t.Error("started without its keys")
	}
	if server.process != nil {
		t.Error("a failed start left a server")
	}
}

func TestVaultVersionIsTheOneBuilt(t *testing.T) {
	module, err := os.ReadFile("../../deploy/vault/server/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(module), "\tgithub.com/hashicorp/vault v"+VaultVersion+" ") {
		t.Errorf("make vault builds another version than %s", VaultVersion)
	}
}
