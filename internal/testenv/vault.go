package testenv

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/localserver"
)

// Vault gives the address of the shared, unsealed Vault and a token that may do
// everything on it. Mount secrets engines under names of [Mount], so that tests do not meet.
func Vault(t testing.TB) (addr, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	addr, token, err := servers.vaultAddr(ctx)
	skipOrFail(t, err, localserver.ErrNoVault)
	return addr, token
}

// Mount gives a mount path that no other test has: the purpose and something random.
func Mount(purpose string) string {
	return purpose + "-" + strings.ToLower(rand.Text()[:10])
}

// OwnVault starts a Vault of the test's own, in memory, for tests that seal, pause or stop it.
func OwnVault(t testing.TB) *localserver.Vault {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	server, err := localserver.StartVault(ctx, localserver.VaultConfig{})
	skipOrFail(t, err, localserver.ErrNoVault)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startLimit)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

func (s *Shared) vaultAddr(ctx context.Context) (addr, token string, err error) {
	if addr, token := os.Getenv(EnvVaultAddr), os.Getenv(EnvVaultToken); addr != "" {
		return addr, token, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vault == nil {
		if s.vault, err = localserver.StartVault(ctx, localserver.VaultConfig{}); err != nil {
			return "", "", err
		}
	}
	return s.vault.Addr(), s.vault.RootToken(), nil
}
