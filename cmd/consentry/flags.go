package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// databaseFlags say where PostgreSQL is.
type databaseFlags struct {
	DatabaseURL string `help:"PostgreSQL connection string of the primary." env:"DATABASE_URL" required:"" placeholder:"URL"`
	MaxConns    int32  `help:"Most database connections of this process; 0 for four a core." default:"0"`
}

// keyringFlags say where the keys are.
type keyringFlags struct {
	VaultAddr         string        `help:"Address of Vault." env:"VAULT_ADDR" placeholder:"URL"`
	VaultAuth         string        `help:"How to log in to Vault." enum:"token,approle,kubernetes" default:"token"`
	VaultToken        string        `help:"Token, for --vault-auth=token." env:"VAULT_TOKEN" placeholder:"TOKEN"`
	VaultRoleID       string        `help:"Role id, for --vault-auth=approle." placeholder:"ID"`
	VaultSecretIDFile string        `help:"File with the secret id, for --vault-auth=approle." placeholder:"FILE" type:"path"`
	VaultRole         string        `help:"Role, for --vault-auth=kubernetes." placeholder:"NAME"`
	VaultJWTFile      string        `help:"Service account token, for --vault-auth=kubernetes; where Kubernetes mounts it by default." placeholder:"FILE" type:"path"`
	VaultAuthMount    string        `help:"Mount of the auth method; its own name by default." placeholder:"PATH"`
	VaultKVMount      string        `help:"Mount of the KV v2 engine." default:"consentry"`
	VaultTransitMount string        `help:"Mount of the Transit engine." default:"transit"`
	VaultNamespace    string        `help:"Namespace, for Vault Enterprise." env:"VAULT_NAMESPACE" placeholder:"NAME"`
	VaultCACert       string        `help:"PEM file of the authority that vouches for Vault." env:"VAULT_CACERT" placeholder:"FILE" type:"path"`
	VaultTimeout      time.Duration `help:"Bound on each request to Vault." default:"5s"`
	KeyPageTTL        time.Duration `help:"How long an unwrapped key page stays in memory; 15m at most." default:"15m"`
}

func (f keyringFlags) open(ctx context.Context, options keyring.Options) (*keyring.Keyring, error) {
	options.PageTTL = f.KeyPageTTL
	return keyring.OpenVault(ctx, keyring.VaultConfig{
		Address: f.VaultAddr, KVMount: f.VaultKVMount, TransitMount: f.VaultTransitMount, Namespace: f.VaultNamespace, CACert: f.VaultCACert, Timeout: f.VaultTimeout,
		Auth: keyring.VaultAuth{Method: keyring.AuthMethod(f.VaultAuth), Mount: f.VaultAuthMount, Token: keyring.Secret(f.VaultToken),
			RoleID: f.VaultRoleID, SecretIDFile: f.VaultSecretIDFile, Role: f.VaultRole, JWTFile: f.VaultJWTFile},
	}, options)
}

// authnFlags say whose tokens are taken.
type authnFlags struct {
	Issuer   string        `help:"The only accepted iss." required:"" placeholder:"URL"`
	Audience string        `help:"Must be among aud." default:"consentry"`
	JWKSURL  string        `help:"Where the issuer's keys are." name:"jwks-url" placeholder:"URL"`
	JWKSFile string        `help:"Or a file that holds them." name:"jwks-file" placeholder:"FILE" type:"path"`
	Leeway   time.Duration `help:"How far the issuer's clock may be off." default:"0s"`
}

func (f authnFlags) config() authn.Config {
	return authn.Config{Issuer: f.Issuer, Audience: f.Audience, JWKSURL: f.JWKSURL, JWKSFile: f.JWKSFile, Leeway: f.Leeway}
}

// serviceFlags are the rest of a service's settings.
type serviceFlags struct {
	Listen    string  `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Origin    string  `help:"Name of the audit log in its checkpoints." default:"consentry.local/audit"`
	RateLimit float64 `help:"Requests a second and client." default:"1000"`

	TrustedProxies []netip.Prefix `help:"Networks of the proxies in front, whose X-Forwarded-For is believed; links to confirm are limited by address." placeholder:"CIDR,..."`

	TraceURL string `help:"OTLP over HTTP endpoint for traces; none by default." env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" placeholder:"URL"`

	NoSegments bool `help:"Keep no index of segments on this node, nor the memory it takes; questions about segments are for another."`

	WebhookPrivate bool `help:"Send events to processors on private and loopback addresses too, not on public ones alone."`
}

// controllerFlags say whose vault it is.
type controllerFlags struct {
	ControllerName         string `help:"Legal name of the controller, for receipts and the record of processing." default:"Example Controller"`
	ControllerContact      string `help:"Whom to write to there." default:"Data protection officer"`
	ControllerStreet       string `help:"Street, postal code and town." default:"1 Example Street"`
	ControllerCountry      string `help:"ISO 3166-1 alpha-2 code of the country." default:"DE" placeholder:"CODE"`
	ControllerEmail        string `help:"Email address for questions about privacy." default:"privacy@example.com"`
	ControllerPhone        string `help:"Phone number for the same." default:"+49 30 00000000"`
	ControllerURL          string `help:"Web site." default:"https://www.example.com" placeholder:"URL"`
	ControllerPolicyURL    string `help:"Privacy policy, which says how to withdraw." default:"https://www.example.com/privacy" placeholder:"URL"`
	ControllerJurisdiction string `help:"Whose law governs receipts." default:"DE" placeholder:"CODE"`
	ControllerService      string `help:"What the people signed up for." default:"Customer account"`
}

func (f controllerFlags) controller() privacy.Controller {
	return privacy.Controller{Name: f.ControllerName, Contact: f.ControllerContact, Street: f.ControllerStreet, Country: f.ControllerCountry, Email: f.ControllerEmail,
		Phone: f.ControllerPhone, URL: f.ControllerURL, PolicyURL: f.ControllerPolicyURL, Jurisdiction: f.ControllerJurisdiction, Service: f.ControllerService}
}

func keyringOptions(log *slog.Logger) keyring.Options { return keyring.Options{Log: log} }
