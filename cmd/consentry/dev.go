package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

type devCommand struct {
	Listen      string       `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Data        string       `help:"Where everything is kept." default:".dev" type:"path"`
	NoDemo      bool         `help:"Start without demo data."`
	NoConsole   bool         `help:"Does nothing: there is no console yet." hidden:""`
	Vault       bool         `help:"Run a real Vault server (built by make vault) instead of the file keyring."`
	People      int          `help:"How many people the demo data has." default:"2000" hidden:""`
	DatabaseURL string       `help:"Use this PostgreSQL instead of a private one." env:"DATABASE_URL" placeholder:"URL"`
	Keyring     keyringFlags `embed:""`

	Controller controllerFlags `embed:""`
	Confirming confirmingFlags `embed:""`
}

// Run implements `consentry dev`.
func (c *devCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	d := &dev{command: c, io: io, log: log}
	return errors.Join(d.run(ctx), d.stop(context.WithoutCancel(ctx)))
}

// dev is everything that `consentry dev` starts, in the order in which it is started.
type dev struct {
	command *devCommand
	io      stdio
	log     *slog.Logger

	postgres *localserver.Postgres
	vault    *localserver.Vault
	database string // of the schema's owner
	issuer   *authn.Issuer
}

func (d *dev) run(ctx context.Context) error {
	if err := os.MkdirAll(d.command.Data, 0o700); err != nil {
		return privacy.Invalid("data_directory", "the data directory cannot be made")
	}
	var err error
	if d.issuer, err = ensureIssuer(d.command.Data); err != nil {
		return err
	}
	if err := d.startDatabase(ctx); err != nil {
		return err
	}
	keys, err := d.openKeyring(ctx)
	if err != nil {
		return err
	}
	confirming, err := d.command.Confirming.confirming()
	if err != nil {
		return errors.Join(err, keys.Close())
	}
	config := node.Config{Webhooks: webhook.Config{Private: true, Plain: true}, DatabaseURL: d.database, Confirming: confirming, Keyring: keys, Log: d.log, Version: version(), Controller: d.command.Controller.controller(),
		Authn: authn.Config{Issuer: devIssuerName, Audience: devAudience, JWKSFile: filepath.Join(d.command.Data, jwksFile)}}
	ctx, unwatch := d.watched(ctx)
	err = d.serve(ctx, config)
	return cmp.Or(unwatch(), err)
}

// startDatabase finds PostgreSQL or starts a private one, and brings the schema up to date.
func (d *dev) startDatabase(ctx context.Context) error {
	d.database = d.command.DatabaseURL
	if d.isOwn(d.database) {
		d.database = ""
	}
	if d.database != "" {
		_, _ = fmt.Fprintln(d.io.err, "using the PostgreSQL of DATABASE_URL, not a private one")
	} else {
		var err error
		d.postgres, err = localserver.StartPostgres(ctx, localserver.PostgresConfig{Dir: filepath.Join(d.command.Data, "postgres"), Logger: d.log})
		if err != nil {
			return err
		}
		d.database = d.postgres.URL("postgres")
	}
	return store.Migrate(ctx, d.database)
}

// isOwn reports whether a database is the private one of this data directory's last start: a shell that has
// loaded its environment file still says so.
func (d *dev) isOwn(url string) bool {
	env, err := os.ReadFile(d.envName())
	return err == nil && strings.Contains(string(env), "DATABASE_URL='"+url+"'\n")
}

// checkKeyring refuses to open data with another kind of keyring than it was made with.
func (d *dev) checkKeyring(vault bool) error {
	_, noFile := os.Stat(filepath.Join(d.command.Data, "keyring"))
	_, noVault := os.Stat(filepath.Join(d.command.Data, "vault"))
	switch {
	case vault && noFile == nil:
		return privacy.Invalid("other_keyring", "this data was made with the file keyring; leave --vault and VAULT_ADDR out, or choose another --data")
	case !vault && noVault == nil:
		return privacy.Invalid("other_keyring", "this data was made with --vault; add it, or choose another --data")
	}
	return nil
}

// openKeyring opens the Vault that VAULT_ADDR names, or a private one with --vault, or keys in a file.
func (d *dev) openKeyring(ctx context.Context) (*keyring.Keyring, error) {
	flags := d.command.Keyring
	if err := d.checkKeyring(flags.VaultAddr != "" || d.command.Vault); err != nil {
		return nil, err
	}
	if flags.VaultAddr == "" && !d.command.Vault {
		return openDevKeyring(d.command.Data, d.log)
	}
	if flags.VaultAddr == "" {
		var err error
		d.vault, err = localserver.StartVault(ctx, localserver.VaultConfig{Dir: filepath.Join(d.command.Data, "vault"), Logger: d.log})
		if err != nil {
			return nil, err
		}
		flags.VaultAddr, flags.VaultToken = d.vault.Addr(), d.vault.RootToken()
	}
	options := keyringOptions(d.log)
	options.Init = true
	return flags.open(ctx, options)
}

// openDevKeyring opens, or makes, the file keyring of a dev directory.
func openDevKeyring(dir string, log *slog.Logger) (*keyring.Keyring, error) {
	options := keyringOptions(log)
	options.Dev, options.Init = true, true
	return keyring.OpenFile(filepath.Join(dir, "keyring"), options)
}

func (d *dev) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var errs []error
	if d.vault != nil {
		errs = append(errs, d.vault.Stop(ctx))
	}
	if d.postgres != nil {
		errs = append(errs, d.postgres.Stop(ctx))
	}
	return errors.Join(errs...)
}

// envName is where programs find the dev vault.
func (d *dev) envName() string { return filepath.Join(d.command.Data, "env") }

// tokenTTL is how long dev tokens last: they are made anew at every start.
const tokenTTL = 30 * 24 * time.Hour

// devClients are who the dev tokens are made out to.
var devClients = []struct {
	role   privacy.Role
	client privacy.ClientID
}{
	{privacy.RoleOfficer, "officer"}, {privacy.RoleApprover, "approver"}, {privacy.RoleSteward, "steward"}, {privacy.RoleConsumer, "crm-mailer"},
	{privacy.RoleAgent, "service-desk"}, {privacy.RoleSubject, "self-service"}, {privacy.RoleAuditor, "auditor"}, {privacy.RoleAdmin, "admin"},
}

// writeEnv writes the shell variables that reach the dev vault: its URL, the database, and a token per role.
func (d *dev) writeEnv(url string, subject privacy.SubjectID) error {
	var env strings.Builder
	_, _ = fmt.Fprintf(&env, "CONSENTRY_URL='%s'\nDATABASE_URL='%s'\n", url, d.database)
	for _, who := range devClients {
		caller := privacy.Caller{Client: who.client, Roles: []privacy.Role{who.role}}
		if who.role == privacy.RoleSubject {
			caller.Subject = subject
		}
		token, err := d.issuer.Token(caller, tokenTTL, time.Now())
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(&env, "CONSENTRY_TOKEN_%s='%s'\n", strings.ToUpper(string(who.role)), token)
	}
	temporary := d.envName() + ".new"
	if err := os.WriteFile(temporary, []byte(env.String()), 0o600); err != nil {
		return privacy.Internal(err, "write the environment file")
	}
	if err := os.Rename(temporary, d.envName()); err != nil {
		return privacy.Internal(err, "write the environment file")
	}
	return nil
}
