// Package testenv gives tests the real things: PostgreSQL, Vault, tokens and the shared
// test data.
//
// Servers are shared, because starting one takes a second and a database on it a few
// milliseconds. A test binary starts a server when its first test asks for one, and
// stops it in [Main]; `make test` starts one of each for all binaries and names them in
// the environment (see [Shared]). Tests keep apart by having their own database and
// their own Vault mounts. A test that stops, seals or crashes a server starts its own.
//
// Without PostgreSQL or Vault on the machine a test is skipped and says what to install;
// `make test` fails instead.
package testenv
