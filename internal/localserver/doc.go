// Package localserver runs private PostgreSQL and Vault servers on this machine, for
// `consentry dev` and for tests.
//
// A private server belongs to the process that started it: it listens on a free port
// of 127.0.0.1, keeps everything it writes below one folder, and stops when its owner
// stops it, or when its owner dies for whatever reason. What it keeps survives: the next
// start on the same folder finds the data again, after a crash too.
//
// PostgreSQL refuses to run as root. When the owner is root, the server runs as the
// account `postgres`, or `nobody` where there is none, and its data moves to
// /var/tmp if that account cannot reach the folder (see [PostgresConfig]).
//
// Nothing here is meant for production, where PostgreSQL and Vault are somebody's job.
package localserver
