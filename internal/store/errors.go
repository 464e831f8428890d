package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/consentry/consentry/internal/privacy"
)

// stateError is what is left of a PostgreSQL error once its message, detail and parameters, which can
// hold row content, are dropped. Names of constraints are dropped too: Citus leaves them empty.
type stateError struct{ code string }

func (e *stateError) Error() string { return "SQLSTATE " + e.code }

// The SQLSTATE codes that are told apart (PostgreSQL manual, appendix A).
const (
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"
	codeReadOnly             = "25006" // the primary has become a replica
	codeLockTimeout          = "55P03"
	codeForeignKey           = "23503"
)

// awayClasses are those in which the server, not the statement, is at fault: connection, log-in,
// database, resources, operator.
var awayClasses = map[string]bool{"08": true, "28": true, "3D": true, "53": true, "57": true}

// wrap gives an error its kind. Of a PostgreSQL error only the SQLSTATE goes on; a failure
// below SQL is unavailability; errors that have a kind already pass.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	var known *privacy.Error
	if errors.As(err, &known) {
		return err
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return unreachable(err)
	}
	state := &stateError{pgErr.Code}
	switch {
	case isRetryable(state):
		return privacy.Unavailable(state, "database_busy", "the database is busy with the same records; try again")
	case state.code == codeReadOnly || len(state.code) == 5 && awayClasses[state.code[:2]]:
		return privacy.Unavailable(state, "database_unavailable", "the database is not available; try again")
	default:
		return privacy.Internal(state, doing)
	}
}

// unreachable drops the texts of a failure below SQL, which name addresses and users.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return privacy.Unavailable(errors.New("time ran out, or the caller left"), "database_timeout", "the database did not answer in time; try again")
	}
	return privacy.Unavailable(errors.New("connection failed"), "database_unavailable", "the database is not available; try again")
}

func isRetryable(err error) bool {
	var state *stateError
	return errors.As(err, &state) && (state.code == codeSerializationFailure || state.code == codeDeadlock)
}

// sqlState gives the SQLSTATE of a PostgreSQL error, "" of any other.
func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

func isNoRows(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
