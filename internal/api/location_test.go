package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/validation"
)

// The words are those that the document has for what callers send: no more, or a key of
// theirs could pass for one, and no fewer, or they would not be told where they went wrong.
func TestWordsAreTheDocuments(t *testing.T) {
	document := openAPI(t)
	found := map[string]bool{"body": true, "header": true, "path": true, "query": true}
	var visit func(schema any)
	visit = func(schema any) {
		s, _ := schema.(map[string]any)
		if ref, ok := s["$ref"].(string); ok {
			visit(document.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")])
		}
		properties, _ := s["properties"].(map[string]any)
		for name, property := range properties {
			found[name] = true
			visit(property)
		}
		visit2 := func(key string) {
			if s[key] != nil {
				visit(s[key])
			}
		}
		visit2("items")
		visit2("additionalProperties")
	}
	for _, methods := range document.Paths {
		for _, operation := range methods {
			for _, parameter := range operation.Parameters {
				found[parameter.Name] = true
			}
			for _, content := range operation.RequestBody.Content {
				visit(content.Schema)
			}
		}
	}
	want := make([]string, 0, len(found))
	for name := range found {
		want = append(want, name)
	}
	slices.Sort(want)
	if !slices.Equal(words, want) {
		t.Errorf("words are\n%q, the document has\n%q", words, want)
	}
}

func TestSafeLocation(t *testing.T) {
	for location, want := range map[string]string{
		"body":                            "body",
		"body.subjects":                   "body.subjects",
		"body.subjects[12].identifier":    "body.subjects[12].identifier",
		"query.limit":                     "query.limit",
		"":                                "",
		"body.attributes.shoe_size":       "",
		"body.attributes.13800138000":     "",
		"body.attributes[13800138000]":    "",
		"body.attributes.email@home.test": "",
		"body.subjects[Ada]":              "",
		"body.subjects[1]Ada":             "",
		"body.Ada[1]":                     "",
		"query.Ada":                       "",
		"body..subjects":                  "",
	} {
		if got := safeLocation(location); got != want {
			t.Errorf("%q gives %q, want %q", location, got, want)
		}
	}
}

func TestSafeMessage(t *testing.T) {
	for message, want := range map[string]string{
		validation.MsgExpectedString:                       "expected string",
		"expected array length <= 1000":                    "expected array length <= 1000",
		"expected required property purpose to be present": "expected required property purpose to be present",
		"required query parameter is missing":              "required query parameter is missing",
		`expected value to be one of "grant, deny"`:        `expected value to be one of "grant, deny"`,
		"expected string to be RFC 5322 email: mail: Ada":  "expected string to be RFC 5322 email",
		"json: cannot unmarshal Ada into Go value":         "not of the expected form",
		"parsing time \"Ada\" as \"2006-01-02\": cannot":   "not of the expected form",
		"invalid integer":                                  "not of the expected form",
		"unknown":                                          "not of the expected form",
		"":                                                 "not of the expected form",
	} {
		if got := safeMessage(message); got != want {
			t.Errorf("%q gives %q, want %q", message, got, want)
		}
	}
}

func openAPI(t *testing.T) document {
	t.Helper()
	text, err := newFace(t, Config{}).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}
