package privacy

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an [Error] is. The API maps kinds to HTTP statuses
// in one place; nothing else should need to.
type Kind uint8

// The kinds.
const (
	KindInternal        Kind = iota // a defect or an unforeseen failure: 500
	KindInvalid                     // the caller sent something wrong: 422
	KindUnauthenticated             // no valid token: 401
	KindForbidden                   // a valid token that may not do this: 403
	KindNotFound                    // no such thing: 404
	KindConflict                    // the state has moved on: 409
	KindTooLarge                    // over a limit of size: 413
	KindRateLimited                 // over a limit of rate: 429
	KindUnavailable                 // PostgreSQL, Vault or the policy is away: 503; try again
)

// Error is the project's one error type. Code and Detail are shown to callers, so they
// never hold a submitted value, an identifier or a name the caller could not have
// known; the wrapped cause is for the log and holds no personal data either.
type Error struct {
	Kind   Kind
	Code   string // stable snake_case, e.g. "unknown_purpose"
	Detail string // one sentence that says what to do
	Cause  error
}

// Error implements error with code, detail and cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.Cause)
	}
	return e.Code + ": " + e.Detail
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// NewError makes an error of a kind.
func NewError(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Invalid makes a KindInvalid error.
func Invalid(code, detail string) *Error { return NewError(KindInvalid, code, detail) }

// NotFound makes a KindNotFound error.
func NotFound(code, detail string) *Error { return NewError(KindNotFound, code, detail) }

// Conflict makes a KindConflict error.
func Conflict(code, detail string) *Error { return NewError(KindConflict, code, detail) }

// Forbidden makes a KindForbidden error.
func Forbidden(code, detail string) *Error { return NewError(KindForbidden, code, detail) }

// Unavailable wraps the failure of something the vault depends on.
func Unavailable(cause error, code, detail string) *Error {
	return &Error{Kind: KindUnavailable, Code: code, Detail: detail, Cause: cause}
}

// Internal wraps an unforeseen failure with what was being done.
func Internal(cause error, doing string) *Error {
	return &Error{Kind: KindInternal, Code: "internal", Detail: doing, Cause: cause}
}

// KindOf gives the kind of the first [Error] in the chain, KindInternal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// CodeOf gives the code of the first [Error] in the chain, "internal" when there is none.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "internal"
}
