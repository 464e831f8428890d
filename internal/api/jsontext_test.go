package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUnmarshal(t *testing.T) {
	many := func(names int, last string) string {
		var b strings.Builder
		for i := range names {
			fmt.Fprintf(&b, `"name%d":1,`, i)
		}
		return "{" + b.String() + last + "}"
	}
	for name, c := range map[string]struct {
		text string
		want *bodyError
	}{
		"object":                     {`{"a":[{"b":1},{"b":2}],"b":"\u00e9\ud83d\ude00\"\\"}`, nil},
		"names of different objects": {`[{"a":{"a":1}},{"a":2}]`, nil},
		"name as a value":            {`{"a":"a","b":["a","a"]}`, nil},
		"colon and comma in a text":  {`{"a":",\":{","b":1}`, nil},
		"deepest":                    {strings.Repeat("[", 32) + strings.Repeat("]", 32), nil},
		"escaped backslash":          {`"\\u0000"`, nil},
		"many names":                 {many(1000, `"x":1`), nil},
		"too deep":                   {strings.Repeat("[", 33) + strings.Repeat("]", 33), errTooDeep},
		"much too deep":              {strings.Repeat("[", 10_000), errTooDeep},
		"NUL in a text":              {"\"a\x00\"", errNUL},
		"NUL between":                {"[1,\x002]", errNUL},
		"NUL escaped":                {`"a\u0000"`, errNUL},
		"NUL in a name":              {`{"\u0000":1}`, errNUL},
		"no UTF-8":                   {"\"\xff\"", errNotUTF8},
		"overlong":                   {"\"\xc0\x80\"", errNotUTF8},
		"surrogate in UTF-8":         {"\"\xed\xa0\x80\"", errNotUTF8},
		"high half":                  {`"\ud800"`, errSurrogate},
		"low half":                   {`"\udc00"`, errSurrogate},
		"high half, then text":       {`"\ud800abcdefg"`, errSurrogate},
		"two high halves":            {`"\ud800\ud800"`, errSurrogate},
		"halves the wrong way round": {`"\ude00\ud83d"`, errSurrogate},
		"name twice":                 {`{"a":1,"a":2}`, errDuplicateName},
		"name twice, inside":         {`{"x":[{"a":1,"b":{},"a":2}]}`, errDuplicateName},
		"name twice, escaped":        {`{"a":1,"\u0061":2}`, errDuplicateName},
		"name twice, other case":     {`{"a":1,"A":2}`, errDuplicateName},
		"name twice, Kelvin":         {`{"k":1,"` + "\u212a" + `":2}`, errDuplicateName},
		"name twice among many":      {many(1000, `"NAME7":1`), errDuplicateName},
		"empty":                      {``, errMalformedJSON},
		"cut off":                    {`{"a":`, errMalformedJSON},
		"cut off in a text":          {`{"a":"b`, errMalformedJSON},
		"cut off in an escape":       {`"\`, errMalformedJSON},
		"cut off in a code":          {`"\u00`, errMalformedJSON},
		"more after it":              {`{} {}`, errMalformedJSON},
		"closing too often":          {`}}]]{"a":1}`, errMalformedJSON},
		"comment":                    {`{} // no`, errMalformedJSON},
		"BOM":                        {"\ufeff{}", errMalformedJSON},
		"NaN":                        {`NaN`, errMalformedJSON},
	} {
		t.Run(name, func(t *testing.T) {
			var into any
			err := unmarshal([]byte(c.text), &into)
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, error(c.want)) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestUnmarshalKnown(t *testing.T) {
	for text, want := range map[string]*bodyError{
		`{"purpose":"a","attributes":["b"],"subjects":[]}`: nil,
		`{"purpose":"a","reason":"b"}`:                     errShape,
		`{"purpose":1}`:                                    errShape,
		`[]`:                                               errShape,
		`{"subjects":[{"identifier":{"type":"email","value":"a","note":"b"}}]}`: errShape,
		`{"purpose":"a"}{"purpose":"b"}`:                                        errMalformedJSON,
		`{"purpose":"a"}]`:                                                      errMalformedJSON,
		`{"purpose":`:                                                           errMalformedJSON,
		" \n":                                                                   errMissingBody,
	} {
		var request DisclosureRequest
		if err := unmarshalKnown([]byte(text), &request); want == nil && err != nil || want != nil && !errors.Is(err, error(want)) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

// Names may be as many as a body holds: comparing each with each would take minutes.
func TestManyNamesAreQuick(t *testing.T) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range 500_000 {
		fmt.Fprintf(&b, `"n%d":0,`, i)
	}
	b.WriteString(`"z":0}`)
	if err := checkText(b.Bytes()); err != nil {
		t.Error(err)
	}
}

// checkText never refuses a sound text that encoding/json reads, and what it lets pass
// holds nothing that it is there to refuse.
func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\u00e9"}]}`, `{"a":1,"A":2}`, `"\ud83d\ude00"`, `"\ud800"`, "\"\x00\"", `{"a":{"a":[]}}`, `{"\u0061":1,"a":2}`, "\xff", `{"":1,"":2}`, `"\\u0000"`, `[,"a":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := checkText(data)
		if !json.Valid(data) {
			return
		}
		s := surveyed(t, data)
		switch {
		case !utf8.Valid(data):
			if !errors.Is(err, errNotUTF8) {
				t.Errorf("no UTF-8: %v", err)
			}
		case s.depth > maxDepth || s.nul || s.duplicate || s.mended:
			if err == nil {
				t.Errorf("%+v was let pass", s)
			}
		case err != nil && !errors.Is(err, errSurrogate):
			t.Errorf("%+v: %v", s, err)
		case errors.Is(err, errSurrogate) && !s.replaced:
			t.Errorf("no lone surrogate: %+v", s)
		}
	})
}

// survey is what encoding/json, asked in another way, finds in a text.
type survey struct {
	depth          int
	nul, duplicate bool
	replaced       bool // U+FFFD came out
	mended         bool // although none was there
}

func surveyed(t *testing.T, data []byte) survey {
	var s survey
	decoder := json.NewDecoder(bytes.NewReader(data))
	type object struct {
		names []string
		name  bool
		is    bool
	}
	stack := []object{{}}
	value := func() { // a value is done with: in an object, a name comes next
		if top := &stack[len(stack)-1]; top.is {
			top.name = true
		}
	}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				stack = append(stack, object{is: v == '{', name: v == '{'})
				s.depth = max(s.depth, len(stack)-1)
			default:
				stack = stack[:len(stack)-1]
				value()
			}
		case string:
			s.nul = s.nul || strings.ContainsRune(v, 0)
			s.replaced = s.replaced || strings.ContainsRune(v, utf8.RuneError)
			if top := &stack[len(stack)-1]; top.is && top.name {
				for _, have := range top.names {
					s.duplicate = s.duplicate || strings.EqualFold(have, v)
				}
				top.names = append(top.names, v)
				top.name = false
				continue
			}
			value()
		default:
			value()
		}
	}
	s.mended = s.replaced && !bytes.ContainsRune(data, utf8.RuneError) && !bytes.Contains(bytes.ToLower(data), []byte(`fffd`))
	return s
}

func BenchmarkCheckText(b *testing.B) {
	request := DisclosureRequest{Purpose: "marketing.email", Attributes: []string{"email", "city"}}
	for range 1000 {
		request.Subjects = append(request.Subjects, SubjectRef{ID: "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"})
	}
	text, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := checkText(text); err != nil {
			b.Fatal(err)
		}
	}
}
