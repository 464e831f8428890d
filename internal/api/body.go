package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// bodyError says what is wrong with a body, in words that do not repeat it.
type bodyError struct{ code, detail string }

func (e *bodyError) Error() string { return e.code }

var (
	errMalformedJSON = &bodyError{"malformed_json", "the body is not well formed JSON of the documented shape"}
	errNotUTF8       = &bodyError{"invalid_utf8", "the body is not valid UTF-8"}
	errNUL           = &bodyError{"nul_character", "the body contains a NUL character"}
	errTooDeep       = &bodyError{"json_too_deep", "the JSON is nested deeper than 32 levels"}
)

// maxDepth is deeper than any documented shape; encoding/json would go to 10,000.
const maxDepth = 32

// unmarshal reads JSON strictly: UTF-8 without NUL, bounded depth, nothing after the value.
func unmarshal(data []byte, into any) error {
	if err := checkText(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return errMalformedJSON
	}
	return nil
}

// unmarshalKnown is unmarshal that also refuses names the shape does not have.
func unmarshalKnown(data []byte, into any) error {
	if err := checkText(data); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return errMalformedJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errMalformedJSON
	}
	return nil
}

// checkText looks at the bytes before any parser does.
func checkText(data []byte) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == 0:
			return errNUL
		case inString && c == '\\':
			if bytes.HasPrefix(data[i+1:], []byte("u0000")) {
				return errNUL
			}
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return errTooDeep
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// typeName names the type of an error without its text.
func typeName(err error) string { return fmt.Sprintf("%T", err) }
