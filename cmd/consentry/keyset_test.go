package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// Keys decide whose receipts count: they come from where one asked, over a way on which nobody can change them.
func TestKeySetComesFromWhereItWasAskedFor(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) }))
	t.Cleanup(elsewhere.Close)
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	t.Cleanup(redirecting.Close)
	for url, code := range map[string]string{
		elsewhere.URL:                            "",
		redirecting.URL:                          "keys_unavailable",
		"http://192.0.2.1/.well-known/jwks.json": "insecure_url",
		"http://127.0.0.1.example.com/jwks.json": "insecure_url",
	} {
		set, err := keySet(t.Context(), url)
		if code == "" && (err != nil || len(set) == 0) || code != "" && (err == nil || privacy.CodeOf(err) != code) {
			t.Errorf("%s: %q, %v", url, set, err)
		}
	}
}

// What is sent is the file whose hash is the key, whatever its name stands for by then.
func TestFileKeyLeavesTheFileAtItsBeginning(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "consents.ndjson")
	if err := os.WriteFile(name, []byte("line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	key, err := fileKey(file)
	if err != nil || len(key) != 64 {
		t.Fatalf("%s, %v", key, err)
	}
	again, err := fileKey(file)
	if err != nil || again != key {
		t.Errorf("read again it is %s, %v", again, err)
	}
}
