package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdProof makes a command that publishes a notice, records three decisions of somebody new on it, and writes the proof of them to one
// file and the vault's key to another.
func cmdProof(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		officer := ts.Getenv("CONSENTRY_TOKEN_OFFICER")
		askAs(ctx, ts, officer, http.MethodPut, "/v1/notices/marketing.email/versions/1", `{"content":{"contact":"","controller":"Example Ltd","purposes":["marketing.email"],"recipients":[],"retention":"","rights":[],
			"variants":{"de":{"title":"Werbung","text":"Wir schreiben Ihnen."},"en":{"title":"Marketing","text":"We write to you."}}}}`)
		askAs(ctx, ts, officer, http.MethodPost, "/v1/notices/marketing.email/versions/1/publish", `{"edit":1}`)
		var stored struct{ ID string }
		ts.Check(json.Unmarshal(ask(ctx, ts, http.MethodPost, "/v1/subjects", `{"identifiers":[{"type":"email","value":"proof@example.com"}],"source":"test"}`), &stored))
		for _, decision := range []string{`"action":"grant","method":"checkbox","notice":{"id":"marketing.email","version":1},"locale":"de"`, `"action":"withdraw"`, `"action":"grant","evidence":{"form":"7"}`} {
			ask(ctx, ts, http.MethodPost, "/v1/consents", `{"subject":{"id":"`+stored.ID+`"},"purpose":"marketing.email",`+decision+`}`)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), askAs(ctx, ts, officer, http.MethodGet, "/v1/subjects/"+stored.ID+"/consents/proof", ""), 0o600))
		var checkpoint struct{ Keys []string }
		ts.Check(json.Unmarshal(askAs(ctx, ts, officer, http.MethodGet, "/v1/audit/checkpoint", ""), &checkpoint))
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(checkpoint.Keys[0]), 0o600))
	}
}

// cmdProofVerify verifies a pack under the key in a file.
func cmdProofVerify(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("consentry", "proof", "verify", args[0], "--key", strings.TrimSpace(ts.ReadFile(args[1])))
	if (err != nil) != neg {
		ts.Fatalf("proof verify %v: %v", args, err)
	}
}

// cmdRepack copies a pack with a text replaced in one of its files.
func cmdRepack(ts *testscript.TestScript, _ bool, args []string) {
	from, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer func() { _ = from.Close() }()
	var to bytes.Buffer
	w := zip.NewWriter(&to)
	changed := false
	for _, file := range from.File {
		r, err := file.Open()
		ts.Check(err)
		content, err := io.ReadAll(r)
		ts.Check(err)
		if file.Name == args[2] {
			changed = bytes.Contains(content, []byte(args[3]))
			content = bytes.ReplaceAll(content, []byte(args[3]), []byte(args[4]))
		}
		out, err := w.Create(file.Name)
		ts.Check(err)
		_, err = out.Write(content)
		ts.Check(err)
	}
	if !changed {
		ts.Fatalf("%s has no %s", args[2], args[3])
	}
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), to.Bytes(), 0o600))
}
