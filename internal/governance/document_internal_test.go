package governance

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	object, err := decodeObject(json.RawMessage(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return object
}

// The examples of RFC 7396, appendix A, whose target and patch are objects.
func TestMergePatch(t *testing.T) {
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":"text"}`, `{"a":{"b":1.50}}`, `{"a":{"b":1.50}}`},
	} {
		if got, want := mergePatch(tree(t, c.target), tree(t, c.patch)), tree(t, c.want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s patched with %s is %v, want %v", c.target, c.patch, got, want)
		}
	}
}

func TestThreeWayMerge(t *testing.T) {
	for name, c := range map[string]struct {
		base, ours, theirs, want string
		conflicts                []string
	}{
		"different cells":            {`{"m":{"a":1,"b":1}}`, `{"m":{"a":2,"b":1}}`, `{"m":{"a":1,"b":3}}`, `{"m":{"a":2,"b":3}}`, nil},
		"the same change":            {`{"m":{"a":1}}`, `{"m":{"a":2}}`, `{"m":{"a":2}}`, `{"m":{"a":2}}`, nil},
		"one cell, two ways":         {`{"m":{"a/b":1}}`, `{"m":{"a/b":2}}`, `{"m":{"a/b":3}}`, `{"m":{"a/b":3}}`, []string{"/m/a~1b"}},
		"removed by us":              {`{"a":1,"b":1}`, `{"b":1}`, `{"a":1,"b":2}`, `{"b":2}`, nil},
		"removed by them":            {`{"a":1,"b":1}`, `{"a":1,"b":2}`, `{"b":1}`, `{"b":2}`, nil},
		"removed and changed":        {`{"a":1}`, `{}`, `{"a":2}`, `{"a":2}`, []string{"/a"}},
		"changed and removed":        {`{"a":1}`, `{"a":2}`, `{}`, `{}`, []string{"/a"}},
		"both add an object":         {`{}`, `{"n":{"a":1}}`, `{"n":{"b":2}}`, `{"n":{"a":1,"b":2}}`, nil},
		"both add otherwise":         {`{}`, `{"n":1}`, `{"n":2}`, `{"n":2}`, []string{"/n"}},
		"lists are one thing":        {`{"l":[1]}`, `{"l":[1,2]}`, `{"l":[1,3]}`, `{"l":[1,3]}`, []string{"/l"}},
		"lists of what has a name":   {`{"l":[{"name":"a"}]}`, `{"l":[{"name":"a"},{"name":"b"}]}`, `{"l":[{"name":"c"}]}`, `{"l":[{"name":"b"},{"name":"c"}]}`, nil},
		"both begin a list of cases": {`{}`, `{"l":[{"name":"b"}]}`, `{"l":[{"name":"a"}]}`, `{"l":[{"name":"a"},{"name":"b"}]}`, nil},
		"a name twice is one thing":  {`{"l":[]}`, `{"l":[{"name":"a"},{"name":"a"}]}`, `{"l":[{"name":"b"}]}`, `{"l":[{"name":"b"}]}`, []string{"/l"}},
	} {
		t.Run(name, func(t *testing.T) {
			var m merge
			got := m.values("", tree(t, c.base), tree(t, c.ours), tree(t, c.theirs))
			if !reflect.DeepEqual(got, any(tree(t, c.want))) || !slices.Equal(m.conflicts, c.conflicts) {
				t.Errorf("got %v with conflicts %q, want %s and %q", got, m.conflicts, c.want, c.conflicts)
			}
		})
	}
}

func TestPlacesRepeatNothing(t *testing.T) {
	words := newVocabulary(tree(t, `{"data":{"matrix":{"email":{"marketing.email":"plain"}},"a/b":[{"roles":[]}]}}`))
	for pointer, want := range map[string]string{
		"/data/matrix/email/marketing.email": "/data/matrix/email/marketing.email",
		"/data/matrix/ada@home.test/x":       "/data/matrix",
		"/data/a~1b/0/roles/12":              "/data/a~1b/0/roles/12",
		"/data/matrix/13800138000":           "/data/matrix",
		"/secret":                            "",
		"":                                   "",
	} {
		if got := words.place(pointer); got != want {
			t.Errorf("%q gives %q, want %q", pointer, got, want)
		}
	}
	if got := words.file("ada.rego", 3, 9); got != "module:3:9" {
		t.Errorf("a module that nobody knows is named %s", got)
	}
}
