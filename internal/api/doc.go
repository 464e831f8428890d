// Package api is the HTTP face of the vault: Huma operations over the flows of
// custody, one file per resource, and the one place where errors become problems.
//
// A request passes, in order: the request id and access log, the panic guard, the
// router, authentication, the rate limit of its client, the content type, the body
// limit, the strict reading of JSON, Huma's validation, authorisation by policy, and the flow. Problems (RFC 9457) say what to do and
// never repeat what was sent, not even the name of an unknown key.
package api
