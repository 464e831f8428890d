package keyring

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	hcvault "github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"

	"github.com/consentry/consentry/internal/privacy"
)

// VaultConfig says which Vault holds the keys, where in it, and who we are to it.
type VaultConfig struct {
	Address      string // https://vault.example:8200
	Auth         VaultAuth
	KVMount      string // KV version 2; "consentry"
	TransitMount string // "transit"
	Namespace    string // Vault Enterprise; none
	CACert       string // file with the PEM certificates that vouch for Vault; the system's
	// Timeout bounds each request to Vault with its repetitions; 5 seconds.
	Timeout time.Duration
}

// VaultAuth is how to get a token. AppRole and Kubernetes log in anew when a token is
// revoked or reaches its greatest age; a plain token can only be renewed.
type VaultAuth struct {
	Method AuthMethod
	Mount  string // of the method; its own name

	Token Secret // AuthToken

	RoleID       string // AuthAppRole, with one of:
	SecretID     Secret
	SecretIDFile string // read at each log-in

	Role    string // AuthKubernetes
	JWTFile string // the service account's token, read at each log-in; where Kubernetes mounts it
}

// AuthMethod names a way to authenticate to Vault.
type AuthMethod string

// The methods.
const (
	AuthToken      AuthMethod = "token"
	AuthAppRole    AuthMethod = "approle"
	AuthKubernetes AuthMethod = "kubernetes"
)

// Secret is a credential in a configuration. It does not print, log or marshal.
type Secret string

// Format implements fmt.Formatter, redacted for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue implements slog.LogValuer, redacted.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalText implements encoding.TextMarshaler, redacted.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// The names of the Transit keys. They are part of the Vault policies in deploy/vault.
const (
	kekKey  = "consentry-kek"
	signKey = "consentry-sign"
)

const (
	defaultVaultTimeout = 5 * time.Second
	vaultRetries        = 2
)

func (c VaultConfig) withDefaults() VaultConfig {
	if c.KVMount == "" {
		c.KVMount = "consentry"
	}
	if c.TransitMount == "" {
		c.TransitMount = "transit"
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultVaultTimeout
	}
	if c.Auth.Mount == "" {
		c.Auth.Mount = string(c.Auth.Method)
	}
	return c
}

func (c VaultConfig) client() (*hcvault.Client, error) {
	settings := hcvault.DefaultConfig()
	if settings.Error != nil {
		return nil, invalidConfig(settings.Error)
	}
	settings.Address, settings.AgentAddress = c.Address, ""
	settings.Timeout = c.Timeout
	settings.MaxRetries = vaultRetries
	settings.MinRetryWait, settings.MaxRetryWait = 50*time.Millisecond, 200*time.Millisecond
	if c.CACert != "" {
		if err := settings.ConfigureTLS(&hcvault.TLSConfig{CACert: c.CACert}); err != nil {
			return nil, invalidConfig(err)
		}
	}
	client, err := hcvault.NewClient(settings)
	if err != nil {
		return nil, invalidConfig(err)
	}
	client.SetToken(string(c.Auth.Token))
	client.SetReadYourWrites(true) // matters where Vault has standbys that answer reads
	if c.Namespace == "" {
		client.ClearNamespace()
	} else {
		client.SetNamespace(c.Namespace)
	}
	return client, nil
}

// method gives the log-in, nil for a plain token.
func (a VaultAuth) method() (hcvault.AuthMethod, error) {
	var (
		method hcvault.AuthMethod
		err    error
	)
	switch a.Method {
	case AuthToken:
		if a.Token == "" {
			return nil, privacy.Invalid("invalid_vault_config", "the token for Vault is missing")
		}
		return nil, nil // there is nothing to log in with
	case AuthAppRole:
		secret := &approle.SecretID{FromString: string(a.SecretID), FromFile: a.SecretIDFile}
		method, err = approle.NewAppRoleAuth(a.RoleID, secret, approle.WithMountPath(a.Mount))
	case AuthKubernetes:
		login := kubernetesLogin{role: a.Role, mount: a.Mount, jwtFile: a.JWTFile}
		method = login
		_, err = login.method() // tells of a missing role or file at once
	default:
		return nil, privacy.Invalid("invalid_vault_config", "the method of authentication to Vault is token, approle or kubernetes")
	}
	if err != nil {
		return nil, invalidConfig(err)
	}
	return method, nil
}

// kubernetesLogin reads the service account's token at each log-in, because Kubernetes
// replaces it every hour and Vault's client would read it once.
type kubernetesLogin struct{ role, mount, jwtFile string }

func (l kubernetesLogin) method() (hcvault.AuthMethod, error) {
	options := []kubernetes.LoginOption{kubernetes.WithMountPath(l.mount)}
	if l.jwtFile != "" {
		options = append(options, kubernetes.WithServiceAccountTokenPath(l.jwtFile))
	}
	return kubernetes.NewKubernetesAuth(l.role, options...)
}

// Login implements the client's AuthMethod.
func (l kubernetesLogin) Login(ctx context.Context, client *hcvault.Client) (*hcvault.Secret, error) {
	method, err := l.method()
	if err != nil {
		return nil, err
	}
	return method.Login(ctx, client)
}

func invalidConfig(err error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_vault_config", Detail: "the settings for Vault are not usable", Cause: err}
}
