package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

type keysCommand struct {
	Init   keysInitCommand   `cmd:"" help:"Make the keys that are not there yet. Harmless to repeat."`
	Status keysStatusCommand `cmd:"" help:"Show the state of the keyring."`
	Rotate keysRotateCommand `cmd:"" help:"Rotate the key-encryption key and wrap everything under the new one."`
	Verify keysVerifyCommand `cmd:"" help:"Check every key page, and finish what a crash has left."`
}

type keysInitCommand struct {
	Keyring keyringFlags `embed:""`
}

// Run implements `consentry keys init`.
func (c *keysInitCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	options := keyringOptions(log)
	options.Init = true
	return withKeyring(ctx, c.Keyring, options, io, func(keys *keyring.Keyring) (any, error) { return keys.Status(ctx) })
}

// devKeyring names the keyring of a vault of consentry dev, in the place of Vault.
type devKeyring struct {
	Dev string `help:"Data directory of consentry dev, instead of Vault." placeholder:"DIR" type:"path"`
}

type keysStatusCommand struct {
	Keyring keyringFlags `embed:""`
	devKeyring
}

// Run implements `consentry keys status`.
func (c *keysStatusCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	return withEither(ctx, c.Keyring, c.devKeyring, io, log, func(keys *keyring.Keyring) (any, error) { return keys.Status(ctx) })
}

type keysRotateCommand struct {
	Signing bool         `help:"Rotate the key that signs receipts and checkpoints instead; what it has signed stays valid."`
	Keyring keyringFlags `embed:""`
}

// Run implements `consentry keys rotate`.
func (c *keysRotateCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	return withKeyring(ctx, c.Keyring, keyringOptions(log), io, func(keys *keyring.Keyring) (any, error) {
		if !c.Signing {
			return keys.Rotate(ctx)
		}
		if err := keys.RotateSigning(ctx); err != nil {
			return nil, err
		}
		publics, err := keys.PublicKeys(ctx)
		return map[string]int{"signing_keys": len(publics)}, err
	})
}

type keysVerifyCommand struct {
	Keyring keyringFlags `embed:""`
	devKeyring
}

// Run implements `consentry keys verify`.
func (c *keysVerifyCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	return withEither(ctx, c.Keyring, c.devKeyring, io, log, func(keys *keyring.Keyring) (any, error) {
		swept, err := keys.Sweep(ctx)
		if err != nil {
			return nil, err
		}
		verified, err := keys.Verify(ctx)
		return map[string]any{"swept": swept, "verified": verified}, err
	})
}

// openKeyring opens Vault's keyring, or that of consentry dev. It never makes keys: what is sealed or signed under keys of a
// mistyped directory would be lost.
func openKeyring(ctx context.Context, flags keyringFlags, dev string, log *slog.Logger) (*keyring.Keyring, error) {
	options := keyringOptions(log)
	if dev == "" {
		return flags.open(ctx, options)
	}
	options.Dev = true
	return keyring.OpenFile(filepath.Join(dev, "keyring"), options)
}

// withKeyring opens the keyring for one piece of work and prints its report as JSON.
func withKeyring(ctx context.Context, flags keyringFlags, options keyring.Options, io stdio, work func(*keyring.Keyring) (any, error)) error {
	keys, err := flags.open(ctx, options)
	if err != nil {
		return err
	}
	return reportOn(keys, io, work)
}

// withEither is withKeyring for what may be done to the keyring of consentry dev, too.
func withEither(ctx context.Context, flags keyringFlags, dev devKeyring, io stdio, log *slog.Logger, work func(*keyring.Keyring) (any, error)) error {
	keys, err := openKeyring(ctx, flags, dev.Dev, log)
	if err != nil {
		return err
	}
	return reportOn(keys, io, work)
}

func reportOn(keys *keyring.Keyring, io stdio, work func(*keyring.Keyring) (any, error)) error {
	defer func() { _ = keys.Close() }()
	report, err := work(keys)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(io.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(report); err != nil {
		return privacy.Internal(err, "print the report")
	}
	return nil
}
