package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPathsAndMethods(t *testing.T) {
	f := newFace(t, Config{})
	withEcho(f, func() error { return nil })
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/", 404, "no_such_route", ""},
		{"GET", "/v1/" + marker, 404, "no_such_route", ""},
		{"GET", "/v1//subjects/" + marker, 404, "no_such_route", ""},
		{"GET", "/v1/../" + marker, 404, "no_such_route", ""},
		{"GET", "/docs/../" + marker + "?a=" + marker, 404, "no_such_route", ""},
		{"POST", "//evil.example/" + marker, 404, "no_such_route", ""},
		{"GET", "/v1/%2e%2e/" + marker, 404, "no_such_route", ""},
		{"GET", "/v1/%00" + marker, 404, "no_such_route", ""},
		{"GET", "/schemas/" + marker, 404, "no_such_route", ""},
		{"GET", "/v1/disclosures", 405, "method_not_allowed", "POST"},
		{"DELETE", "/v1/subjects/" + marker + "/attributes", 405, "method_not_allowed", "PATCH"},
		{"POST", "/healthz", 405, "method_not_allowed", "GET, HEAD"},
		{"OPTIONS", "/v1/subjects", 405, "method_not_allowed", "POST"},
		{"TRACE", "/v1/subjects", 405, "method_not_allowed", "POST"},
		{marker, "/v1/subjects", 405, "method_not_allowed", "POST"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			w, problem := f.call(c.method, c.path, "")
			if w.Code != c.status || problem.Code != c.code || w.Header().Get("Allow") != c.allow {
				t.Errorf("status %d, Allow %q: %s", w.Code, w.Header().Get("Allow"), w.Body)
			}
			if strings.Contains(f.everything(w), marker) {
				t.Errorf("repeated: %s", f.everything(w))
			}
			if problem.RequestID != w.Header().Get("X-Request-Id") || problem.RequestID == "" {
				t.Errorf("request id %q: %s", w.Header().Get("X-Request-Id"), w.Body)
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	f := newFace(t, Config{})
	withEcho(f, func() error { return nil })
	for header, taken := range map[string]bool{
		"":                                  true,
		"application/json":                  true,
		"application/json; charset=UTF-8":   true,
		"Application/JSON;charset=utf-8":    true,
		"application/json; charset=gbk":     false,
		"application/problem+json":          false,
		"application/cbor":                  false,
		"text/plain":                        false,
		"application/x-www-form-urlencoded": false,
		"multipart/form-data; boundary=x":   false,
		marker:                              false,
		"a+b;c+" + marker:                   false,
	} {
		r := httptest.NewRequest(http.MethodPost, "/v1/echo/1", strings.NewReader(`{"purpose":"a"}`))
		r.Header.Set("Authorization", "Bearer "+f.token)
		r.Header.Set("Content-Type", header)
		w, problem := f.do(r)
		if refused := w.Code == http.StatusUnsupportedMediaType && problem.Code == "unsupported_media_type"; refused == taken || taken && w.Code >= 400 {
			t.Errorf("%q: status %d: %s", header, w.Code, w.Body)
		}
		if strings.Contains(f.everything(w), marker) {
			t.Errorf("repeated: %s", f.everything(w))
		}
	}
}

func TestAnswersAreNotKept(t *testing.T) {
	f := newFace(t, Config{})
	for _, path := range []string{"/healthz", "/v1/disclosures", "/nothing", "/docs"} {
		w, _ := f.call(http.MethodGet, path, "")
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}
