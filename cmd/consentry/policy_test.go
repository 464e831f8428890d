package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdDraft makes a command that puts the draft of a JSON file into $DRAFT; with "approve" somebody
// else approves it first, with "remember" nobody does.
func cmdDraft(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		var draft remoteDraft
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &draft))
		ts.Setenv("DRAFT", draft.ID)
		if args[0] != "approve" {
			return
		}
		api, err := newPolicyAPI(policyAPIFlags{URL: ts.Getenv("VAULT"), Token: ts.Getenv("APPROVER")})
		ts.Check(err)
		defer api.close()
		ts.Check(api.call(ctx, http.MethodPost, draft.path("/approve"), "", map[string]any{"revision": draft.Revision}, nil))
	}
}

// cmdMatrix takes a cell out of the matrix of a policy folder.
func cmdMatrix(ts *testscript.TestScript, _ bool, args []string) {
	var matrix map[string]map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &matrix))
	delete(matrix[args[1]], args[2])
	var text bytes.Buffer
	ts.Check(json.NewEncoder(&text).Encode(matrix))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o600))
}
