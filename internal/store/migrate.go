package store

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // the database/sql driver goose needs
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/consentry/consentry/internal/privacy"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migration is one step of the schema and when it was applied.
type Migration struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name"`
	AppliedAt time.Time `json:"applied_at,omitzero"`
}

const (
	// lockWithin is how long a migration waits for a table that is in use. Whatever comes after it waits behind it, so
	// it is also how long a service can be held up, and a migration that has waited that long begins again later.
	lockWithin   = 2 * time.Second
	lockPause    = time.Second // for those who waited behind
	lockAttempts = 200         // ten minutes
)

// Migrate brings the schema up to date, while the service is running. Several nodes may call it at once: an advisory
// lock lets one at a time through. Migrations only go forward.
func Migrate(ctx context.Context, url string) error {
	if err := migrateJobs(ctx, url); err != nil {
		return err
	}
	return withProvider(url, func(p *goose.Provider) error {
		for attempt := 1; ; attempt++ {
			_, err := p.Up(ctx)
			if err == nil {
				return nil
			}
			if sqlState(err) != codeLockTimeout || attempt == lockAttempts || !pause(ctx, lockPause) {
				return privacy.Unavailable(err, "migration_failed", "the schema could not be brought up to date")
			}
		}
	})
}

// pause reports false when the context ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Migrations lists every step with the time it was applied, zero when it is pending.
func Migrations(ctx context.Context, url string) ([]Migration, error) {
	var list []Migration
	err := withProvider(url, func(p *goose.Provider) error {
		steps, err := p.Status(ctx)
		if err != nil {
			return privacy.Unavailable(err, "migration_status_failed", "the state of the schema could not be read")
		}
		for _, step := range steps {
			list = append(list, Migration{Version: step.Source.Version, Name: step.Source.Path, AppliedAt: step.AppliedAt})
		}
		return nil
	})
	return list, err
}

func withProvider(url string, use func(*goose.Provider) error) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return privacy.Invalid("invalid_database_url", "DATABASE_URL is not a PostgreSQL connection string")
	}
	config.RuntimeParams["lock_timeout"] = milliseconds(lockWithin)
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return privacy.Internal(err, "read the migrations")
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // asks every second, for five minutes
	if err != nil {
		return privacy.Internal(err, "make the migration lock")
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, steps, goose.WithSessionLocker(locker))
	if err != nil {
		return privacy.Internal(err, "read the migrations")
	}
	return use(provider)
}
