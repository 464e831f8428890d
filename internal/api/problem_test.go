package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

const marker = "Marker-4711"

type echoInput struct {
	ID    string `path:"id" maxLength:"8"`
	Limit int    `query:"limit" maximum:"10"`
	Body  struct {
		Purpose string   `json:"purpose" enum:"a,b"`
		Limit   int      `json:"limit,omitempty"`
		Roles   []string `json:"roles,omitempty" maxItems:"2"`
	}
}

type echoOutput struct{ Body struct{} }

// withEcho adds an operation that fails, or panics, as told.
func withEcho(f face, fail func() error) {
	registerOpen(f.API, huma.Operation{OperationID: "echo", Method: http.MethodPost, Path: "/v1/echo/{id}"},
		func(context.Context, custody.Caller, *echoInput) (*echoOutput, error) { return &echoOutput{}, fail() })
}

// Huma's defaults repeat what was sent: values in 422s, names of unknown keys, bodies that do not
// parse. And they send the text of a handler's error to the caller. None of it may happen.
func TestHumaRepeatsNothing(t *testing.T) {
	f := newFace(t, Config{})
	withEcho(f, func() error { return nil })
	const at = "/v1/echo/1"
	for _, c := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"value of another type", at, `{"purpose":"a","limit":"` + marker + `"}`, 422, "invalid_request"},
		{"value of no enum", at, `{"purpose":"` + marker + `"}`, 422, "invalid_request"},
		{"too long a parameter", "/v1/echo/" + marker, `{"purpose":"a"}`, 422, "invalid_request"},
		{"parameter of another type", at + "?limit=" + marker, `{"purpose":"a"}`, 422, "invalid_request"},
		{"unknown parameter", at + "?" + marker + "=1", `{"purpose":"a"}`, 422, "invalid_request"},
		{"unknown key", at, `{"purpose":"a","` + marker + `":1}`, 422, "invalid_request"},
		{"unknown key, value a word", at, `{"purpose":"a","` + marker + `":{"limit":1}}`, 422, "invalid_request"},
		{"list too long", at, `{"purpose":"a","roles":["` + marker + `","b","c"]}`, 422, "invalid_request"},
		{"null for a text", at, `{"purpose":null}`, 422, "invalid_request"},
		{"not JSON", at, marker, 400, "malformed_json"},
		{"cut off", at, `{"purpose":"` + marker, 400, "malformed_json"},
		{"something after it", at, `{"purpose":"a"} ` + marker, 400, "malformed_json"},
		{"another shape", at, `["` + marker + `"]`, 422, "invalid_request"},
		{"name twice", at, `{"purpose":"a","purpose":"` + marker + `"}`, 400, "duplicate_name"},
		{"nothing", at, "", 400, "body_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, problem := f.call(http.MethodPost, c.path, c.body)
			if w.Code != c.status || problem.Status != c.status || problem.Code != c.code || problem.Type != "urn:consentry:problem:"+c.code {
				t.Errorf("status %d, want %d %s: %s", w.Code, c.status, c.code, w.Body)
			}
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", w.Header().Get("Content-Type"))
			}
			if strings.Contains(f.everything(w), marker) {
				t.Errorf("repeated: %s", f.everything(w))
			}
			if c.code == "invalid_request" && c.name != "another shape" && len(problem.Errors) == 0 {
				t.Errorf("the problem does not say where: %s", w.Body)
			}
		})
	}
}

func TestErrorsOfHandlersStayInside(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
		logged bool
	}{
		{"plain", errors.New(marker), 500, "internal", true},
		{"wrapped", fmt.Errorf("%s: %w", marker, errors.New("x")), 500, "internal", true},
		{"unforeseen", privacy.Internal(nil, "do it"), 500, "internal", true},
		{"away", privacy.Unavailable(nil, "keyring_unavailable", "try again"), 503, "keyring_unavailable", true},
		{"wrapped and known", fmt.Errorf("%s: %w", marker, privacy.NotFound("subject_not_found", "no")), 404, "subject_not_found", false},
		{"conflict", privacy.Conflict("identifier_conflict", "no"), 409, "identifier_conflict", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFace(t, Config{})
			withEcho(f, func() error { return c.err })
			w, problem := f.call(http.MethodPost, "/v1/echo/1", `{"purpose":"a"}`)
			if w.Code != c.status || problem.Code != c.code {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
			if strings.Contains(f.everything(w), marker) {
				t.Errorf("repeated: %s", f.everything(w))
			}
			f.wantRequestID(t, w, problem, c.logged)
		})
	}
}

// wantRequestID checks that the header, the problem and the log speak of the same request.
func (f face) wantRequestID(t *testing.T, w *httptest.ResponseRecorder, problem Problem, twice bool) {
	t.Helper()
	id := w.Header().Get("X-Request-Id")
	lines := strings.Count(f.log.String(), `"request_id":"`+id+`"`)
	if id == "" || problem.RequestID != id || lines != map[bool]int{false: 1, true: 2}[twice] {
		t.Errorf("request %q, problem %q, log: %s", id, problem.RequestID, f.log)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	f := newFace(t, Config{})
	withEcho(f, func() error { panic(marker) })
	w, problem := f.call(http.MethodPost, "/v1/echo/1", `{"purpose":"a"}`)
	if w.Code != http.StatusInternalServerError || problem.Code != "internal" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if strings.Contains(f.everything(w), marker) {
		t.Errorf("repeated: %s", f.everything(w))
	}
	if !strings.Contains(f.log.String(), "problem_test.go") && !strings.Contains(f.log.String(), "TestPanicIsAProblem") {
		t.Errorf("the log does not say where: %s", f.log)
	}
	f.wantRequestID(t, w, problem, true)
}

// Half an answer must not pass for the whole: the connection breaks.
func TestPanicInMidAnswerBreaksTheConnection(t *testing.T) {
	f := newFace(t, Config{})
	huma.Register(f.huma, huma.Operation{OperationID: "half", Method: http.MethodGet, Path: "/v1/half"}, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			_, _ = ctx.BodyWriter().Write([]byte("half"))
			panic(marker)
		}}, nil
	})
	defer func() {
		if cause := recover(); cause != http.ErrAbortHandler { //nolint:errorlint // the value net/http documents
			t.Errorf("the server was told %v", cause)
		}
		if strings.Contains(f.log.String(), marker) || !strings.Contains(f.log.String(), `"msg":"request"`) {
			t.Errorf("log: %s", f.log)
		}
	}()
	f.call(http.MethodGet, "/v1/half", "")
}

func TestDefectsAreFew(t *testing.T) {
	var errs []error
	for i := range 1000 {
		errs = append(errs, &huma.ErrorDetail{Message: "expected string", Location: fmt.Sprintf("body.subjects[%d].id", i)})
	}
	problem := humaProblem(t.Context(), http.StatusUnprocessableEntity, "validation failed", errs)
	if len(problem.Errors) != maxDefects {
		t.Errorf("%d defects", len(problem.Errors))
	}
}

func TestRateLimit(t *testing.T) {
	now := time.Now()
	f := newFace(t, Config{PerSecond: 1, Burst: 2, Now: func() time.Time { return now }})
	withEcho(f, func() error { return nil })
	for i, want := range []int{200, 200, 429} {
		w, problem := f.call(http.MethodPost, "/v1/echo/1", `{"purpose":"a"}`)
		if w.Code != want {
			t.Errorf("request %d: status %d: %s", i, w.Code, w.Body)
		}
		if want == 429 && (problem.Code != "rate_limited" || w.Header().Get("Retry-After") != "1") {
			t.Errorf("Retry-After %q: %s", w.Header().Get("Retry-After"), w.Body)
		}
	}
	now = now.Add(time.Second)
	if w, _ := f.call(http.MethodPost, "/v1/echo/1", `{"purpose":"a"}`); w.Code >= 400 {
		t.Errorf("a second later: status %d", w.Code)
	}
}

// Who sends a body a byte at a time is cut off.
func TestSlowBody(t *testing.T) {
	f := newFace(t, Config{BodyWithin: 50 * time.Millisecond})
	withEcho(f, func() error { return nil })
	server := httptest.NewServer(f)
	defer server.Close()
	body, writer := io.Pipe()
	defer writer.Close() //nolint:errcheck // a pipe's never fails
	go func() { _, _ = io.WriteString(writer, `{"purpose":"`+marker) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/echo/1", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+f.token)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(content), `"code":"request_timeout"`) || strings.Contains(string(content), marker) {
		t.Errorf("status %d: %s %v", response.StatusCode, content, err)
	}
}

func TestIdleBucketsAreDropped(t *testing.T) {
	l := newLimiter(1, 1)
	now := time.Now()
	for i := range 100 {
		l.allow(privacy.ClientID(fmt.Sprint("client-", i)), now)
	}
	l.allow("last", now.Add(2*bucketIdle))
	if len(l.buckets) != 1 {
		t.Errorf("%d buckets kept", len(l.buckets))
	}
}
