package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdGrant makes a command that records a grant of somebody new and writes its receipt to a file.
func cmdGrant(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		ask(ctx, ts, http.MethodPost, "/v1/subjects", `{"identifiers":[{"type":"email","value":"ada@example.com"}],"source":"test"}`)
		answer := ask(ctx, ts, http.MethodPost, "/v1/consents", `{"subject":{"identifier":{"type":"email","value":"ada@example.com"}},"purpose":"marketing.email","action":"grant"}`)
		var recorded struct{ Receipt string }
		ts.Check(json.Unmarshal(answer, &recorded))
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(recorded.Receipt+"\n"), 0o600))
	}
}

// cmdKeySet makes a command that writes the published key set to a file.
func cmdKeySet(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), ask(ctx, ts, http.MethodGet, "/.well-known/jwks.json", ""), 0o600))
	}
}

func ask(ctx context.Context, ts *testscript.TestScript, method, path, body string) []byte {
	return askAs(ctx, ts, ts.Getenv("CONSENTRY_TOKEN_STEWARD"), method, path, body)
}

func askAs(ctx context.Context, ts *testscript.TestScript, token, method, path, body string) []byte {
	request, err := http.NewRequestWithContext(ctx, method, ts.Getenv("VAULT")+path, strings.NewReader(body))
	ts.Check(err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close() //nolint:errcheck // read to its end
	content, err := io.ReadAll(response.Body)
	ts.Check(err)
	if response.StatusCode >= 300 {
		ts.Fatalf("%s %s: status %d: %s", method, path, response.StatusCode, content)
	}
	return content
}
