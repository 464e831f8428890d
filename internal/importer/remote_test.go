package importer_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/importer"
	"github.com/consentry/consentry/internal/privacy"
)

// remote makes a way to an API that answers as handle does.
func remote(t testing.TB, handle http.HandlerFunc) func(importer.Identity) importer.Vault {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return func(identity importer.Identity) importer.Vault {
		vault, err := importer.NewRemote(server.URL+"/", "token", identity)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(vault.Close)
		return vault
	}
}

// accept answers every line as a subject created.
func accept(w http.ResponseWriter, r *http.Request) int {
	lines := bufio.NewScanner(r.Body)
	n := 0
	for lines.Scan() {
		n++
		_, _ = fmt.Fprintf(w, "{\"line\":%d,\"id\":\"0192f0c1-a2b3-7c4d-8e5f-%012d\",\"created\":true}\n", n, n)
	}
	return n
}

const complete = `{"summary":{"complete":true}}`

// TestRemoteFaults: what goes wrong on the way to the API is tried again or told for what it is, and
// only a whole answer counts.
func TestRemoteFaults(t *testing.T) {
	problem := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"said so"}`, status, code)
		}
	}
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	for _, c := range []struct {
		name   string
		first  http.HandlerFunc // for the first two requests; then all is well
		code   string           // "" when trying again helped
		counts importer.Counts
	}{
		{"well", func(w http.ResponseWriter, r *http.Request) { accept(w, r); _, _ = w.Write([]byte(complete)) }, "", importer.Counts{Lines: 2, Created: 2}},
		{"away", problem(503, "database_unavailable"), "", importer.Counts{Lines: 2, Created: 2}},
		{"too fast", problem(429, "rate_limited"), "", importer.Counts{Lines: 2, Created: 2}},
		{"a proxy's page", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte("<html>"))
		}, "", importer.Counts{Lines: 2, Created: 2}},
		{"no summary", func(w http.ResponseWriter, r *http.Request) { accept(w, r) }, "", importer.Counts{Lines: 2, Created: 2}},
		{"incomplete", func(w http.ResponseWriter, r *http.Request) {
			accept(w, r)
			_, _ = w.Write([]byte(`{"summary":{"complete":false}}`))
		}, "", importer.Counts{Lines: 2, Created: 2}},
		{"an answer missing", answer(`{"line":1,"id":"0192f0c1-a2b3-7c4d-8e5f-000000000001","created":true}` + complete), "", importer.Counts{Lines: 2, Created: 2}},
		{"away in the middle", answer(`{"line":1,"problem":{"status":503,"code":"keyring_unavailable","detail":"said so"}}` + complete), "", importer.Counts{Lines: 2, Created: 2}},
		{"one turned away", answer(`{"line":2,"problem":{"status":409,"code":"identifier_conflict","detail":"said so"}}{"line":1,"id":"0192f0c1-a2b3-7c4d-8e5f-000000000001"}` + complete), "", importer.Counts{Lines: 2, Updated: 1, Rejected: 1}},
		{"not allowed", problem(403, "not_allowed"), "not_allowed", importer.Counts{}},
		{"token expired", problem(401, "token_expired"), "token_expired", importer.Counts{}},
		{"something else", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte("nothing here"))
		}, "unexpected_answer", importer.Counts{}},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, "unexpected_answer", importer.Counts{}},
		{"lines of another import", answer(`{"line":77,"id":"0192f0c1-a2b3-7c4d-8e5f-000000000001"}` + complete), "internal", importer.Counts{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls atomic.Int64
			through := remote(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/subjects/import" || r.Header.Get("Authorization") != "Bearer token" {
					t.Errorf("%s", r.URL.Path)
				}
				if calls.Add(1) <= 2 {
					c.first(w, r)
					return
				}
				accept(w, r)
				_, _ = w.Write([]byte(complete))
			})
			j := newJob(t, writeFile(t, "id,name,city,income\nP1,Ada,Köln,1\nP2,Bob,Köln,2\n"), peopleMapping)
			j.workers = 1
			summary, err := j.run(t.Context(), t, through)
			if c.code == "" && (err != nil || summary.Counts != c.counts) || c.code != "" && privacy.CodeOf(err) != c.code {
				t.Errorf("%+v, %v", summary, err)
			}
		})
	}
}

// TestRemoteGivesUp: patience ends.
func TestRemoteGivesUp(t *testing.T) {
	j := newJob(t, writeFile(t, "id,name,city,income\nP1,Ada,Köln,1\n"), peopleMapping)
	j.patience = 250 * time.Millisecond
	var calls atomic.Int64
	_, err := j.run(t.Context(), t, remote(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	if privacy.KindOf(err) != privacy.KindUnavailable || calls.Load() < 2 {
		t.Errorf("after %d calls: %v", calls.Load(), err)
	}
}

func TestNewRemoteRefuses(t *testing.T) {
	for _, address := range []string{"", "vault:8080", "ftp://vault", "://", "http://"} {
		if _, err := importer.NewRemote(address, "token", importer.Identity{}); privacy.CodeOf(err) != "invalid_url" {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := importer.NewRemote("http://localhost", "", importer.Identity{}); privacy.CodeOf(err) != "token_missing" {
		t.Error(err)
	}
}

// TestJournalRefuses: a journal of something else, or none at all, is not gone on with.
func TestJournalRefuses(t *testing.T) {
	table, err := importer.Open(importer.Input{Path: writeFile(t, "id,name,city,income\n"), Mapping: []byte(peopleMapping)})
	if err != nil {
		t.Fatal(err)
	}
	config := importer.JournalConfig{State: filepath.Join(t.TempDir(), "state"), Target: "here", Batch: 1, Workers: 1}
	for _, c := range []struct{ text, code string }{
		{"", "invalid_state_file"},
		{"P1,Ada", "invalid_state_file"},
		{`{"batch":1}`, "invalid_state_file"},
		{`{"batch":-1,"newest":[1],"counts":{"lines":3}}`, "invalid_state_file"},
		{`{"batch":1,"newest":[1],"counts":{"lines":3}}`, "other_import"},
		{`{"batch":1,"newest":[1],"counts":{"lines":0}}`, ""},
	} {
		if err := os.WriteFile(config.State, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := importer.OpenJournal(config, table, time.Now())
		if code := privacy.CodeOf(err); err == nil && c.code != "" || err != nil && code != c.code {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	config.State = filepath.Join(t.TempDir(), "no such folder", "state")
	if _, err := importer.OpenJournal(config, table, time.Now()); privacy.CodeOf(err) != "file_unwritable" {
		t.Error(err)
	}
	for _, workers := range []int{-1, 0, 65} {
		if _, err := importer.OpenJournal(importer.JournalConfig{Batch: 1, Workers: workers}, table, time.Now()); privacy.CodeOf(err) != "invalid_batch" {
			t.Error(err)
		}
	}
}

// TestRejectsTellNoValues: whatever is wrong with a row, its reject has nothing of it.
func TestRejectsTellNoValues(t *testing.T) {
	const secret = "Geheimnis4711"
	rows := []string{secret + ",x", secret + ",\x00,Köln,1", "P1," + secret + ",Köln," + secret, "P2,\"" + secret + "\"" + secret + ",Köln,1", "P3," + strings.Repeat(secret, 1000) + ",Köln,1",
		"P4,\xff" + secret + ",Köln,1", "P5,\"" + secret}
	j := newJob(t, writeFile(t, "id,name,city,income\n"+strings.Join(rows, "\n")), peopleMapping)
	summary, err := j.run(t.Context(), t, nil)
	rejects := readRejects(t, j.rejects)
	if err != nil || summary.Rejected != len(rows) || len(rejects) != len(rows) {
		t.Fatalf("%+v, %d rejects, %v", summary, len(rejects), err)
	}
	for i, reject := range rejects {
		if reject.Line != i+2 || reject.Record != i+1 || strings.Contains(fmt.Sprint(reject), secret) {
			t.Errorf("%+v", reject)
		}
	}
}
