package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdSQL makes a command that runs a statement on the vault's database, as somebody who has taken it over.
func cmdSQL(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		connection, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
		ts.Check(err)
		defer func() { _ = connection.Close(ctx) }()
		tag, err := connection.Exec(ctx, args[0])
		ts.Check(err)
		if tag.RowsAffected() == 0 {
			ts.Fatalf("no row was touched")
		}
	}
}

// cmdDisclose makes a command that asks for attributes of everybody for a purpose, through the API.
func cmdDisclose(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		connection, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
		ts.Check(err)
		defer func() { _ = connection.Close(ctx) }()
		rows, err := connection.Query(ctx, "SELECT subject_id::text FROM subject")
		ts.Check(err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		ts.Check(err)
		subjects := make([]map[string]string, len(ids))
		for i := range ids {
			subjects[i] = map[string]string{"id": ids[i]}
		}
		body, err := json.Marshal(map[string]any{"purpose": args[0], "attributes": args[1:], "subjects": subjects})
		ts.Check(err)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, ts.Getenv("VAULT")+"/v1/disclosures", strings.NewReader(string(body)))
		ts.Check(err)
		request.Header.Set("Authorization", "Bearer "+ts.Getenv("CONSUMER"))
		response, err := http.DefaultClient.Do(request)
		ts.Check(err)
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		ts.Check(err)
		if response.StatusCode != http.StatusOK {
			ts.Fatalf("status %d: %s", response.StatusCode, answer)
		}
	}
}
