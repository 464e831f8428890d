// Package store is all the SQL there is: migrations, and one file of hand-written
// statements per family of tables. It sees ciphertext, keyed indexes and pseudonyms
// only; it could not open a value if it wanted to.
//
// Writes happen inside [Store.Write], which runs a function in one transaction and
// runs it again when PostgreSQL reports a serialization failure or a deadlock. The function must
// therefore do nothing but database work and pure computation. Each write carries the
// audit entries that describe it, in the same transaction.
//
// The schema is laid out so that Citus can distribute it: every per-subject table is keyed by
// subject_id first, errors are matched by SQLSTATE alone, and times are parameters.
package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/consentry/consentry/internal/privacy"
)

// Store is a pool of connections to the primary. It is never pointed at a replica:
// a withdrawal that has returned must be seen by every read that starts later.
type Store struct {
	pool *pgxpool.Pool
}

// Config says where the database is.
type Config struct {
	URL            string
	MaxConns       int32           // 0: pgx's default
	ConnectTimeout time.Duration   // 0: 5 s
	Tracer         pgx.QueryTracer // nil: none
	StatementLimit time.Duration   // server-side statement_timeout; 0: 30 s
}

// Open connects. It fails with KindUnavailable when the database cannot be reached.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	poolConfig, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// pgx quotes the connection string in its error, so the cause is dropped.
		return nil, privacy.Invalid("invalid_database_url", "DATABASE_URL is not a PostgreSQL connection string")
	}
	if cfg.MaxConns > 0 {
		poolConfig.MaxConns = cfg.MaxConns
	}
	poolConfig.ConnConfig.ConnectTimeout = orDefault(cfg.ConnectTimeout, 5*time.Second)
	poolConfig.ConnConfig.Tracer = cfg.Tracer
	limit := orDefault(cfg.StatementLimit, 30*time.Second)
	poolConfig.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(limit)
	poolConfig.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(limit)
	poolConfig.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	return &Store{pool: pool}, nil
}

// Close waits for connections in use and closes the pool.
func (s *Store) Close() { s.pool.Close() }

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// Stats gives the state of the pool, for metrics.
func (s *Store) Stats() *pgxpool.Stat { return s.pool.Stat() }

// Tx is one transaction of [Store.Write].
type Tx struct{ tx pgx.Tx }

// writeAttempts bounds how often a transaction is tried when it loses to another one.
const writeAttempts = 10

// Write runs work in a transaction and commits it. It runs work again, from the start,
// after a serialization failure or a deadlock, up to ten times.
func (s *Store) Write(ctx context.Context, work func(tx *Tx) error) error {
	var err error
	for range writeAttempts {
		err = s.writeOnce(ctx, work)
		if !isRetryable(err) {
			return wrap(err, "write")
		}
	}
	return privacy.Unavailable(err, "database_busy", "the database is busy with the same records; try again")
}

func (s *Store) writeOnce(ctx context.Context, work func(tx *Tx) error) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// A rollback must reach the server even when the caller has gone.
		_ = tx.Rollback(context.WithoutCancel(ctx))
	}()
	if err := work(&Tx{tx: tx}); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// twoPhase makes Citus commit in two phases when the transaction also writes tables that are
// local to the coordinator; on plain PostgreSQL it does nothing.
const twoPhase = `DELETE FROM commit_marker WHERE n = -1`

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// SQLSTATE codes that are told apart (PostgreSQL manual, appendix A).
const (
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
)

func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

func isRetryable(err error) bool {
	state := sqlState(err)
	return state == codeSerializationFailure || state == codeDeadlock
}

// wrap gives a database error its kind. PostgreSQL's message, detail and parameters can hold row
// content, so only the SQLSTATE goes on; a failure below SQL is unavailability.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	var known *privacy.Error
	if errors.As(err, &known) {
		return err
	}
	if isRetryable(err) {
		return err // Write looks at it
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		if class := pgErr.Code[:2]; class == "57" || class == "53" || class == "08" {
			return privacy.Unavailable(&stateError{pgErr.Code}, "database_unavailable", "the database is not available; try again")
		}
		return privacy.Internal(&stateError{pgErr.Code}, doing)
	}
	return unavailable(err)
}

// stateError is what is left of a PostgreSQL error once its texts are dropped.
type stateError struct{ code string }

func (e *stateError) Error() string { return "SQLSTATE " + e.code }

func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return privacy.Unavailable(err, "database_timeout", "the database did not answer in time; try again")
	}
	return privacy.Unavailable(errors.New("connection failed"), "database_unavailable", "the database is not available; try again")
}
