package api

import (
	"bytes"
	"html/template"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/consentry/consentry/schemas"
)

// document is what the tests look at of the OpenAPI document.
type document struct {
	Paths      map[string]map[string]operation
	Components struct {
		Schemas map[string]any
	}
	Tags []struct{ Name, Description string }
}

type operation struct {
	OperationID string
	Summary     string
	Tags        []string
	Security    []map[string][]string
	Parameters  []struct{ Name string }
	RequestBody struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]struct {
		Description string
		Content     map[string]media
	}
}

type media struct{ Schema map[string]any }

func TestOpenAPIFileIsCurrent(t *testing.T) {
	text, err := newFace(t, Config{}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	file, err := schemas.FS.ReadFile("openapi.json")
	if err != nil || !bytes.Equal(text, file) {
		t.Errorf("schemas/openapi.json is stale: run make generate (%v)", err)
	}
}

// withoutToken are the operations in which something else counts than a token: the link or the code that was sent, or a signature. Anybody
// may fill a form in.
var withoutToken = []string{"consents-confirm", "exports-fetch", "requests-form", "requests-form-verify", "processors-acknowledge"}

func TestEveryOperationExplainsItself(t *testing.T) {
	d := openAPI(t)
	var tags []string
	for _, tag := range d.Tags {
		if tag.Description == "" {
			t.Errorf("tag %s has no description", tag.Name)
		}
		tags = append(tags, tag.Name)
	}
	seen := make(map[string]bool)
	for path, methods := range d.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			if op.OperationID == "" || seen[op.OperationID] || op.Summary == "" || strings.HasSuffix(op.Summary, ".") {
				t.Errorf("%s: id %q, summary %q", name, op.OperationID, op.Summary)
			}
			seen[op.OperationID] = true
			if len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
				t.Errorf("%s: tags %q", name, op.Tags)
			}
			if secured := len(op.Security) == 1 && op.Security[0][bearerScheme] != nil; secured != (strings.HasPrefix(path, "/v1/") && !slices.Contains(withoutToken, op.OperationID)) {
				t.Errorf("%s: security %v", name, op.Security)
			}
			checkResponses(t, name, op)
		}
	}
	for id, statuses := range map[string][]string{"subjects-upsert": {"200", "201", "409"}, "consents-record": {"201", "404", "409"}, "attributes-update": {"200", "404", "409"}} {
		for _, methods := range d.Paths {
			for _, op := range methods {
				for _, status := range statuses {
					if _, ok := op.Responses[status]; op.OperationID == id && !ok {
						t.Errorf("%s does not document %s", id, status)
					}
				}
			}
		}
	}
}

func checkResponses(t *testing.T, name string, op operation) {
	t.Helper()
	want := []int{}
	if len(op.Security) > 0 {
		want = append(want, problemStatuses...)
	}
	if op.RequestBody.Required {
		want = append(want, bodyStatuses...)
	}
	for _, status := range want {
		if _, ok := op.Responses[strconv.Itoa(status)]; !ok {
			t.Errorf("%s does not document %d", name, status)
		}
	}
	for status, response := range op.Responses {
		if response.Description == "" {
			t.Errorf("%s: %s is not described", name, status)
		}
		if status < "400" {
			if len(response.Content) == 0 {
				t.Errorf("%s: %s has no content", name, status)
			}
			continue
		}
		if ref := response.Content["application/problem+json"].Schema["$ref"]; ref != "#/components/schemas/Problem" {
			t.Errorf("%s: %s is %v", name, status, response.Content)
		}
	}
}

// A list that may be null makes every reader write a case that never comes.
func TestNoListIsNull(t *testing.T) {
	text, err := newFace(t, Config{}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if compact := strings.Join(strings.Fields(string(text)), ""); strings.Contains(compact, `["array","null"]`) {
		t.Error("a list of the document may be null")
	}
}

func TestDocumentationIsServed(t *testing.T) {
	f := newFace(t, Config{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() { f.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/openapi.json", nil)) })
	}
	running.Wait()
	for path, want := range map[string]string{"/docs": "<!doctype html>", "/openapi.json": `"openapi":"3.1`, "/openapi.yaml": "openapi: 3.1"} {
		if w, _ := f.call("GET", path, ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: status %d: %.200s", path, w.Code, w.Body)
		}
	}
}

// The page to read has every operation and every schema, and can be read where nothing else can be reached.
func TestDocumentationNeedsNothingElse(t *testing.T) {
	f := newFace(t, Config{})
	w, _ := f.call("GET", "/docs", "")
	page := w.Body.String()
	d := openAPI(t)
	for path, methods := range d.Paths {
		for method, op := range methods {
			if !strings.Contains(page, `<details id="`+op.OperationID+`">`) || !strings.Contains(page, strings.ToUpper(method)+" "+template.HTMLEscapeString(path)+"</code>") {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	for name := range d.Components.Schemas {
		if !strings.Contains(page, `<details id="schema-`+name+`">`) {
			t.Errorf("the schema %s is not on the page", name)
		}
	}
	for _, elsewhere := range []string{"<script", " src=", "<link", "@import", "url(", `href="http`} {
		if strings.Contains(page, elsewhere) {
			t.Errorf("the page has %q", elsewhere)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "http") {
		t.Errorf("its policy is %q", policy)
	}
}

// A body that has a form of its own is not documented as any sequence of bytes.
func TestJSONBodiesAreDocumentedAsJSON(t *testing.T) {
	for path, methods := range openAPI(t).Paths {
		for method, op := range methods {
			if _, octets := op.RequestBody.Content["application/octet-stream"]; octets && len(op.RequestBody.Content) > 1 {
				t.Errorf("%s %s takes octets, too", method, path)
			}
		}
	}
}
