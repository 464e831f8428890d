package main

import (
	"context"
	"fmt"

	"github.com/consentry/consentry/internal/store"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the schema up to date. Run it as the owner of the schema."`
	Status migrateStatusCommand `cmd:"" help:"Show which steps have been applied."`
}

type migrateUpCommand struct {
	DatabaseURL string `help:"PostgreSQL connection string of the schema's owner." env:"DATABASE_URL" required:"" placeholder:"URL"`
}

// Run implements `consentry migrate up`.
func (c *migrateUpCommand) Run(ctx context.Context, io stdio) error {
	if err := store.Migrate(ctx, c.DatabaseURL); err != nil {
		return err
	}
	_, err := fmt.Fprintln(io.out, "the schema is up to date")
	return err
}

type migrateStatusCommand struct {
	DatabaseURL string `help:"PostgreSQL connection string." env:"DATABASE_URL" required:"" placeholder:"URL"`
}

// Run implements `consentry migrate status`.
func (c *migrateStatusCommand) Run(ctx context.Context, io stdio) error {
	steps, err := store.Migrations(ctx, c.DatabaseURL)
	for _, step := range steps {
		applied := "pending"
		if !step.AppliedAt.IsZero() {
			applied = step.AppliedAt.UTC().Format("2006-01-02 15:04:05")
		}
		_, _ = fmt.Fprintf(io.out, "%05d  %-20s %s\n", step.Version, applied, step.Name)
	}
	return err
}
