package catalogue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// FuzzNormalise gives every attribute whatever comes: nothing may panic, what is
// accepted must be stable and render as valid JSON, what is refused must not be told.
func FuzzNormalise(f *testing.F) {
	c := load(f)
	attributes := c.Attributes()
	for i := range attributes {
		for _, seed := range []string{`"Anna"`, `58138.50`, `["a","b"]`, `{"wine":1}`, `"1990-05-17"`, `"anna@bücher.example"`, `"+49 30 901820"`, `"\ud800"`, `null`, `[[`} {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, raw string) {
		a := attributes[int(which)%len(attributes)]
		_, _ = a.NormaliseText(raw, "CN")
		once, err := a.Normalise(json.RawMessage(raw), "CN")
		if err != nil {
			if privacy.CodeOf(err) != "invalid_attribute_value" || len(raw) > 40 && strings.Contains(err.Error(), raw) {
				t.Fatalf("error %v", err)
			}
			return
		}
		rendered, err := a.AppendJSON(nil, lent(once))
		if err != nil || !json.Valid(rendered) {
			t.Fatalf("%q renders as %q: %v", lent(once), rendered, err)
		}
		twice, err := a.Normalise(rendered, "")
		if err != nil || lent(twice) != lent(once) {
			t.Fatalf("%s: %q becomes %q: %v", a.Name, lent(once), lent(twice), err)
		}
	})
}

// FuzzIdentifier: an accepted identifier is stable, so that its blind index finds it again.
func FuzzIdentifier(f *testing.F) {
	c := load(f)
	identifiers := c.Identifiers()
	for i := range identifiers {
		for _, seed := range []string{"Anna@Example.com", "用户@例え.jp", "+86 138 1234 5678", "0138-1234-5678", "k-42", "\x00", "１３８"} {
			f.Add(uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		i := identifiers[int(which)%len(identifiers)]
		once, err := i.Normalise(value, "CN")
		if err != nil {
			return
		}
		twice, err := i.Normalise(lent(once), "")
		if err != nil || lent(twice) != lent(once) {
			t.Fatalf("%s: %q becomes %q: %v", i.Type, lent(once), lent(twice), err)
		}
	})
}

// FuzzMask: whatever is sealed, its mask never gives it away.
func FuzzMask(f *testing.F) {
	c := load(f)
	for _, seed := range []string{"anna@example.com", "a@b", "@", "+8613812345678", "+1", "A.", "张三", "张**", "👩‍👧 Anna", "a\u0301\u0301\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, name := range []privacy.AttributeName{"email", "phone", "full_name", "government_id", "city"} {
			checkMask(t, attribute(t, c, name), value)
		}
	})
}
