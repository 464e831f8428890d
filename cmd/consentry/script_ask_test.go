package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdAsk makes a command that calls the vault as somebody and writes the answer to a file: FILE TOKEN METHOD PATH [BODY].
func cmdAsk(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		answer := askAs(ctx, ts, args[1], args[2], args[3], strings.Join(args[4:], ""))
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), answer, 0o600))
	}
}

// cmdQuery makes a command that gives a variable the rows of a query of one text, a line each: NAME SQL.
func cmdQuery(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		connection, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
		ts.Check(err)
		defer func() { _ = connection.Close(ctx) }()
		rows, err := connection.Query(ctx, args[1])
		ts.Check(err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		ts.Check(err)
		ts.Setenv(args[0], strings.Join(lines, "\n"))
	}
}

// cmdUntil makes a command that waits until a query of one boolean says true.
func cmdUntil(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		connection, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
		ts.Check(err)
		defer func() { _ = connection.Close(ctx) }()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		for ticker, done := time.NewTicker(10*time.Millisecond), false; !done; <-ticker.C {
			ts.Check(connection.QueryRow(ctx, args[0]).Scan(&done))
		}
	}
}
