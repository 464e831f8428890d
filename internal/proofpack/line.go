package proofpack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/consentry/consentry/internal/privacy"
)

// encode gives the one spelling of JSON that packs have.
func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, privacy.Internal(err, "write a proof pack")
	}
	return text.Bytes(), nil
}

var errSpelling = privacy.Invalid("pack_malformed", "it is not spelt as packs are")

// decode takes what encode writes and no other spelling of it, so that nobody can hide something where one reader looks
// and another does not.
func decode(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return errSpelling
	}
	again, err := encode(v)
	if err != nil || !bytes.Equal(again, text) {
		return errSpelling
	}
	return nil
}

// lines reads a file line by line, each with its end; a last line without one is none.
type lines struct {
	scanner *bufio.Scanner
}

func newLines(r io.Reader) lines {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 16<<10), maxLine)
	scanner.Split(splitLine)
	return lines{scanner}
}

var errLine = privacy.Invalid("pack_malformed", "a line has no end, or is too long")

// next gives a line; ok is false at the end.
func (l lines) next() (line []byte, ok bool, err error) {
	if l.scanner.Scan() {
		return l.scanner.Bytes(), true, nil
	}
	if l.scanner.Err() != nil {
		return nil, false, errLine
	}
	return nil, false, nil
}

func splitLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errLine
	}
	return 0, nil, nil
}
