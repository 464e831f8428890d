package keyring_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	hcvault "github.com/hashicorp/vault/api"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/testenv"
)

// setUpByScript runs deploy/vault/setup.sh, twice, against a fresh Vault.
func setUpByScript(t *testing.T) vaultPlace {
	t.Helper()
	server := testenv.OwnVault(t)
	binary, err := localserver.FindVault()
	if err != nil {
		t.Skip(err)
	}
	commands := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(commands, "vault")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		script := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "deploy", "vault", "setup.sh"))
		script.Env = []string{
			"PATH=" + commands + ":" + os.Getenv("PATH"), "HOME=" + commands,
			"VAULT_ADDR=" + server.Addr(), "VAULT_TOKEN=" + server.RootToken(),
		}
		if out, err := script.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return vaultPlaceAt(t, server.Addr(), server.RootToken(), "", "")
}

// appRole gives the settings to log in as a role.
func (p vaultPlace) appRole(t *testing.T, role string) keyring.VaultConfig {
	t.Helper()
	read, err := p.root.Logical().ReadWithContext(t.Context(), "auth/approle/role/"+role+"/role-id")
	if err != nil {
		t.Fatal(err)
	}
	secret := p.write(t, "auth/approle/role/"+role+"/secret-id", nil)
	config := p.config
	config.Auth = keyring.VaultAuth{
		Method:   keyring.AuthAppRole,
		RoleID:   read.Data["role_id"].(string),
		SecretID: keyring.Secret(secret["secret_id"].(string)),
	}
	return config
}

// clientOf logs a bare client in with the same settings.
func (p vaultPlace) clientOf(t *testing.T, config keyring.VaultConfig) *hcvault.Client {
	t.Helper()
	secret, err := p.root.Logical().WriteWithContext(t.Context(), "auth/approle/login", map[string]any{
		"role_id": config.Auth.RoleID, "secret_id": string(config.Auth.SecretID),
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := p.root.Clone()
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(secret.Auth.ClientToken)
	return client
}

func TestPoliciesAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	p := setUpByScript(t)
	asAdmin, asService := p.appRole(t, "consentry-admin"), p.appRole(t, "consentry-service")

	_, err := keyring.OpenVault(t.Context(), asService, keyring.Options{Init: true})
	wantErr(t, "the service initialises", err, keyring.ErrUnavailable)

	admin, err := keyring.OpenVault(t.Context(), asAdmin, keyring.Options{Init: true})
	if err != nil {
		t.Fatalf("the admin initialises: %v", err)
	}
	defer admin.Close() //nolint:errcheck // gives none
	service, err := keyring.OpenVault(t.Context(), asService, keyring.Options{})
	if err != nil {
		t.Fatalf("the service opens: %v", err)
	}
	defer service.Close() //nolint:errcheck // gives none

	t.Run("the service works", func(t *testing.T) {
		mustEnsure(t, service, 0, 1)
		sealed := seal(t, service, 1)
		if err := service.Puncture(t.Context(), 2); err != nil {
			t.Error(err)
		}
		if err := opens(t, service, 1, sealed); err != nil {
			t.Error(err)
		}
		if err := service.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if status, err := service.Status(t.Context()); err != nil || status.Pages != 2 {
			t.Errorf("%+v, %v", status, err)
		}
		if _, err := service.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := service.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if _, _, err := service.Sign(t.Context(), []byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := service.PublicKeys(t.Context()); err != nil {
			t.Error(err)
		}
		wantErr(t, "the service rotates what signs", service.RotateSigning(t.Context()), keyring.ErrUnavailable)
		_, err := service.Rotate(t.Context())
		wantErr(t, "the service rotates", err, keyring.ErrUnavailable)
	})
	t.Run("the admin works", func(t *testing.T) {
		if err := admin.Init(t.Context()); err != nil {
			t.Error(err)
		}
		if report, err := admin.Rotate(t.Context()); err != nil || report.Rewrapped != 5 {
			t.Errorf("%+v, %v", report, err)
		}
		if err := admin.RotateSigning(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := admin.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
		if report, err := admin.Verify(t.Context()); err != nil || report.Erased != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	})

	const read, write, remove = http.MethodGet, http.MethodPut, http.MethodDelete
	nobody := map[string]string{
		"transit/export/encryption-key/consentry-kek": read,
		"transit/export/signing-key/consentry-sign":   read,
		"transit/backup/consentry-kek":                read,
		"transit/keys/consentry-kek":                  remove,
		"transit/keys/consentry-sign":                 remove,
		"transit/keys/consentry-kek/config":           write,
		"transit/keys/consentry-sign/config":          write,
		"transit/keys/consentry-kek/trim":             write,
		"transit/keys/another":                        write,
		"transit/encrypt/another":                     write,
		"transit/datakey/plaintext/consentry-kek":     write,
		"consentry/metadata/pages/0":                  remove,
		"consentry/metadata/keys/index":               remove,
		"consentry/undelete/pages/0":                  write,
		"consentry/config":                            write,
		"sys/mounts/another":                          write,
		"sys/policies/acl/consentry-service":          write,
		"auth/token/create":                           write,
	}
	notTheService := map[string]string{
		"transit/keys/consentry-kek/rotate": write,
		"consentry/data/keys/index":         write,
		"consentry/destroy/keys/index":      write,
		"consentry/metadata/keys/index":     read,
	}
	for role, config := range map[string]keyring.VaultConfig{"service": asService, "admin": asAdmin} {
		client := p.clientOf(t, config)
		forbidden := []map[string]string{nobody}
		if role == "service" {
			forbidden = append(forbidden, notTheService)
		}
		for _, paths := range forbidden {
			for path, method := range paths {
				if status := try(t, client, method, path); status != http.StatusForbidden {
					t.Errorf("%s: %s %s gives %d", role, method, path, status)
				}
			}
		}
	}
	// What the admin may make of a key is what Init makes of it.
	client := p.clientOf(t, asAdmin)
	_, err = client.Logical().WriteWithContext(t.Context(), "transit/keys/consentry-kek", map[string]any{"type": "aes256-gcm96", "exportable": true})
	if err == nil {
		t.Error("the admin makes an exportable key")
	}
}

func try(t *testing.T, client *hcvault.Client, method, path string) int {
	t.Helper()
	request := client.NewRequest(method, "/v1/"+path)
	if method == http.MethodPut {
		if err := request.SetJSONBody(map[string]any{}); err != nil {
			t.Fatal(err)
		}
	}
	response, err := client.RawRequestWithContext(t.Context(), request) //nolint:staticcheck // any path, any method
	if response == nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // the status is all we read
	return response.StatusCode
}
