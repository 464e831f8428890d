package testenv

import (
	"net/http"
	"strings"
	"testing"
)

func lookupSelf(t *testing.T, addr, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, addr+"/v1/auth/token/lookup-self", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // the status is all we read
	return response.StatusCode
}

func TestVaultIsOneForAllTests(t *testing.T) {
	addr, token := Vault(t)
	if status := lookupSelf(t, addr, token); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if again, _ := Vault(t); again != addr {
		t.Error("a second server")
	}
	if first, second := Mount("transit"), Mount("transit"); first == second {
		t.Error("the same mount twice")
	}
}

func TestOwnVaultIsAnother(t *testing.T) {
	addr, _ := Vault(t)
	own := OwnVault(t)
	if own.Addr() == addr {
		t.Fatal("the shared server")
	}
	if err := own.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := lookupSelf(t, own.Addr(), own.RootToken()); status != http.StatusServiceUnavailable {
		t.Errorf("sealed, status %d", status)
	}
}

func TestEnvironPointsTestsToTheServers(t *testing.T) {
	Vault(t) // skips where there is none
	sharedPostgres(t)
	for _, name := range []string{EnvPostgresURL, EnvVaultAddr, EnvVaultToken} {
		t.Setenv(name, "")
	}
	shared, err := StartShared(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, variable := range shared.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	addr, token := Vault(t)
	if addr != shared.vault.Addr() {
		t.Error("another Vault")
	}
	if status := lookupSelf(t, addr, token); status != http.StatusOK {
		t.Errorf("Vault: status %d", status)
	}
	if sharedPostgres(t) != shared.postgres.URL("postgres") {
		t.Error("another PostgreSQL")
	}
	if err := exec(t, Postgres(t), "SELECT 1"); err != nil {
		t.Errorf("PostgreSQL: %v", err)
	}
}
