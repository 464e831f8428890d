package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// face is an API without flows behind it, for what happens before and after them.
type face struct {
	*API
	token string
	log   *bytes.Buffer
}

func newFace(t *testing.T, config Config) face {
	t.Helper()
	issuer := testenv.NewIssuer(t, time.Now)
	verifier, err := authn.New(t.Context(), issuer.Config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	f := face{token: issuer.Token(t, "crm", privacy.RoleSteward), log: &bytes.Buffer{}}
	config.Verifier, config.Log, config.Registry, config.Version = verifier, slog.New(slog.NewJSONHandler(f.log, nil)), prometheus.NewRegistry(), "v1"
	f.API = New(config)
	return f
}

// call sends one request and gives the answer with its problem, if it is one.
func (f face) call(method, path, body string) (*httptest.ResponseRecorder, Problem) {
	r := httptest.NewRequest(method, path, bytes.NewReader([]byte(body)))
	r.Header.Set("Authorization", "Bearer "+f.token)
	return f.do(r)
}

func (f face) do(r *http.Request) (*httptest.ResponseRecorder, Problem) {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	var problem Problem
	_ = json.Unmarshal(w.Body.Bytes(), &problem)
	return w, problem
}

// everything is all that left the process: what the caller got, and the log.
func (f face) everything(w *httptest.ResponseRecorder) string {
	header := &bytes.Buffer{}
	_ = w.Header().Write(header)
	content, _ := io.ReadAll(bytes.NewReader(w.Body.Bytes()))
	return header.String() + string(content) + f.log.String()
}
