package main

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type restoreCommand struct {
	Check restoreCheckCommand `cmd:"" help:"After a backup was restored: erase once more whoever was erased since, before the service starts."`
}

type restoreCheckCommand struct {
	Database databaseFlags `embed:""`
	Keyring  keyringFlags  `embed:""`
	Origin   string        `help:"Name of the audit log in its checkpoints." default:"consentry.local/audit"`
}

// Run implements `consentry restore check`.
func (c *restoreCheckCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	keys, err := c.Keyring.open(ctx, keyringOptions(log))
	if err != nil {
		return err
	}
	defer func() { _ = keys.Close() }()
	db, err := store.Open(ctx, store.Config{URL: c.Database.DatabaseURL, MaxConns: c.Database.MaxConns})
	if err != nil {
		return err
	}
	defer db.Close()
	words, err := catalogue.Load()
	if err != nil {
		return err
	}
	vault := custody.New(custody.Config{Store: db, Keyring: keys, Policy: policy.NewEngine(), Catalogue: words, Log: log, Origin: c.Origin})
	defer vault.Close()
	restored, err := vault.CheckRestored(ctx)
	if err != nil {
		return err
	}
	if err := vault.RestoreChecked(ctx); err != nil {
		return err
	}
	encoder := json.NewEncoder(io.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(restored); err != nil {
		return privacy.Internal(err, "print the report")
	}
	return nil
}
