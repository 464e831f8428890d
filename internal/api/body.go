package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// bodyError says what is wrong with a body, in words that do not repeat it.
type bodyError struct {
	status       int
	code, detail string
}

// Error gives the code alone: it travels through Huma as a text, and is known again by it.
func (e *bodyError) Error() string { return e.code }

var (
	errMalformedJSON = &bodyError{http.StatusBadRequest, "malformed_json", "the body is not well formed JSON"}
	errNotUTF8       = &bodyError{http.StatusBadRequest, "invalid_utf8", "the body is not valid UTF-8"}
	errNUL           = &bodyError{http.StatusBadRequest, "nul_character", "the body contains a NUL character"}
	errSurrogate     = &bodyError{http.StatusBadRequest, "lone_surrogate", "the body escapes half of a surrogate pair, which is no character"}
	errDuplicateName = &bodyError{http.StatusBadRequest, "duplicate_name", "an object of the body has the same name twice"}
	errTooDeep       = &bodyError{http.StatusBadRequest, "json_too_deep", "the JSON is nested deeper than 32 levels"}
	errCutShort      = &bodyError{http.StatusBadRequest, "body_cut_short", "the body ended before its announced length"}
	errMissingBody   = &bodyError{http.StatusBadRequest, "body_missing", "send a JSON body"}
	errShape         = &bodyError{http.StatusUnprocessableEntity, "invalid_request", "the body does not have the documented shape"}
)

// bodyErrors are those that unmarshal gives, by their text.
var bodyErrors = map[string]*bodyError{
	errMalformedJSON.code: errMalformedJSON, errNotUTF8.code: errNotUTF8, errNUL.code: errNUL, errSurrogate.code: errSurrogate,
	errDuplicateName.code: errDuplicateName, errTooDeep.code: errTooDeep, errShape.code: errShape,
}

// unmarshal reads JSON strictly: what checkText asks for, and nothing after the value.
func unmarshal(data []byte, into any) error {
	if err := checkText(data); err != nil {
		return err
	}
	return classify(json.Unmarshal(data, into))
}

// unmarshalKnown is unmarshal that also refuses names the shape does not have.
func unmarshalKnown(data []byte, into any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errMissingBody
	}
	if err := checkText(data); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return classify(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errMalformedJSON
	}
	return nil
}

// classify tells JSON that is broken from JSON of another shape. The parser's own words quote it.
func classify(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errMalformedJSON
	default:
		return errShape
	}
}

// typeName names the type of an error without its text.
func typeName(err error) string { return fmt.Sprintf("%T", err) }
