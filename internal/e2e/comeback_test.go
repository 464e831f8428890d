package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/importer"
	"github.com/consentry/consentry/internal/privacy"
)

const comebackMapping = `
format: csv
source: shop
collected_at: {constant: 2024-01-01}
identifiers: [{type: customer_number, column: id}, {type: email, column: mail}]
attributes: {full_name: {column: name}}
`

// Whoever was erased and is in a table that is imported later, under whichever of their identifiers, is flagged and not stored, whichever
// way the import goes; everybody else in it is stored.
func TestImportFlagsWhoWasErased(t *testing.T) {
	v := setup(t)
	var stored struct{ ID string }
	v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "gone@example.com"}, {"type": "customer_number", "value": "G-1"}}, "source": "shop",
		"attributes": object{"email": "gone@example.com", "country": "DE", "birth_date": "1990-12-10"}}, http.StatusCreated).into(t, &stored)
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(stored.ID), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
	v.closed(lodged.ID)

	table := "id,mail,name\nG-1,fresh1@example.com,Back By Number\nN-{n},Gone@Example.com ,Back By Mail\nO-{n},other-{n}@example.com,Somebody Else\n"
	subjects := func() (n int) {
		if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM subject`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for n, c := range []struct {
		name    string
		through func(importer.Identity) importer.Vault
	}{
		{"through the API", func(identity importer.Identity) importer.Vault {
			vault, err := importer.NewRemote(v.url, v.steward(), identity)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(vault.Close)
			return vault
		}},
		{"straight to the database", func(identity importer.Identity) importer.Vault {
			return importer.NewDirect(v.node.Service, custody.Caller{Caller: privacy.Caller{Client: "import"}}, identity)
		}},
	} {
		before := subjects()
		summary, rejects := v.imported(strings.ReplaceAll(table, "{n}", string(rune('1'+n))), c.through)
		if summary.Created != 1 || summary.Rejected != 2 || !summary.Complete || len(rejects) != 2 {
			t.Errorf("%s: %+v, %+v", c.name, summary, rejects)
		}
		for i, r := range rejects {
			if r.Line != i+2 || r.Code != "erased_before" {
				t.Errorf("%s: %+v", c.name, r)
			}
		}
		if after := subjects(); after != before+1 {
			t.Errorf("%s: %d subjects became %d", c.name, before, after)
		}
	}

	// The same over the API's own stream, and one by one, with an identifier of the person among others.
	lines := `{"identifiers":[{"type":"email","value":"gone@example.com"}],"source":"shop"}` + "\n" + `{"identifiers":[{"type":"email","value":"stays@example.com"}],"source":"shop"}` + "\n"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+"/v1/subjects/import", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+v.steward())
	request.Header.Set("Content-Type", "application/x-ndjson")
	answers := strings.Split(strings.TrimSpace(string(v.do(request).body)), "\n")
	if len(answers) != 3 || !strings.Contains(answers[0], `"erased_before"`) || strings.Contains(answers[1], `"problem"`) || strings.Contains(answers[0], "gone@") {
		t.Errorf("the stream: %s", answers)
	}
	for name, identifiers := range map[string][]object{
		"alone":               {{"type": "customer_number", "value": "G-1"}},
		"among new ones":      {{"type": "email", "value": "new@example.com"}, {"type": "customer_number", "value": "G-1"}},
		"with somebody known": {{"type": "email", "value": "stays@example.com"}, {"type": "email", "value": "gone@example.com"}},
	} {
		if a := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": identifiers, "source": "shop"}); a.status != http.StatusConflict || a.code() != "erased_before" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/lookup", v.steward(), object{"identifier": object{"type": "email", "value": "new@example.com"}}); a.status != http.StatusNotFound {
		t.Errorf("something of it was stored: %d %s", a.status, a.body)
	}
}

// imported imports a table, and gives what came of it and what was turned away.
func (v *vault) imported(table string, through func(importer.Identity) importer.Vault) (summary importer.Summary, rejects []importer.Reject) {
	v.t.Helper()
	folder := v.t.TempDir()
	file, rejected := filepath.Join(folder, "table.csv"), filepath.Join(folder, "rejects")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		v.t.Fatal(err)
	}
	source, err := importer.Open(importer.Input{Path: file, Mapping: []byte(comebackMapping)})
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	journal, err := importer.OpenJournal(importer.JournalConfig{State: filepath.Join(folder, "state"), Rejects: rejected, Target: "test", Batch: importer.DefaultBatch, Workers: 1}, source, time.Now())
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = journal.Close() }()
	run := importer.Import{Table: source, Journal: journal, Patience: 10 * time.Second, Now: time.Now, Vault: through(source.Identity())}
	if summary, err = run.Run(v.t.Context()); err != nil {
		v.t.Fatal(err)
	}
	text, err := os.ReadFile(rejected)
	if err != nil {
		v.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var reject importer.Reject
		if err := json.Unmarshal([]byte(line), &reject); err != nil {
			v.t.Fatal(err)
		}
		rejects = append(rejects, reject)
	}
	return summary, rejects
}
