package e2e_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/node"
)

// Traces say which routes were called and which statements ran, and nothing of what was in them.
func TestLaw5TracesAreSilent(t *testing.T) {
	v := setup(t)
	id, request := v.permitted("traced@example.com")
	collected := &logBuffer{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(collected, r.Body) }))
	defer collector.Close()

	keys, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), node.Config{DatabaseURL: v.database, Keyring: keys, Authn: v.issuer.Config, Log: slog.New(slog.DiscardHandler), TraceURL: collector.URL + "/v1/traces"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(n.Handler())
	v.call(http.MethodPost, server.URL+"/v1/disclosures", v.consumer(), request)
	v.call(http.MethodGet, server.URL+"/v1/subjects/"+id+"/consents", v.steward(), nil)
	v.call(http.MethodGet, server.URL+"/v1/subjects/mistyped@example.com/consents?x=asked@example.com", v.steward(), nil)
	v.call(http.MethodGet, server.URL+"/nowhere/stray@example.com", v.steward(), nil)
	server.Close()
	if err := n.Close(t.Context()); err != nil { // sends what is left
		t.Fatal(err)
	}
	spans := []byte(collected.String())
	for _, want := range []string{"POST /v1/disclosures", "GET /v1/subjects/{id}/consents", "FROM subject s"} {
		if !bytes.Contains(spans, []byte(want)) {
			t.Errorf("no span says %q", want)
		}
	}
	for _, personal := range []string{"@example.com", id, "127.0.0.1", "Go-http-client"} {
		if bytes.Contains(spans, []byte(personal)) {
			t.Errorf("a span says %q", personal)
		}
	}
}
