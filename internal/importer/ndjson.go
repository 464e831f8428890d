package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// What can be wrong with a record of NDJSON.
var (
	errNotAnObject = privacy.Invalid("malformed_json", "the line is not one JSON object")
	errTwoMembers  = privacy.Invalid("duplicate_member", "the object has a name more than once")
)

// lineTable reads a JSON object a line (NDJSON). A member of an object inside is the column
// "outer.inner". Null and what is absent are an empty cell: writers of JSON leave out what they do
// not know. Lists and objects are handed on as JSON.
type lineTable struct {
	in      *bufio.Reader
	line    int
	text    []byte
	members map[string]json.RawMessage
}

func newLineTable(in io.Reader) *lineTable {
	return &lineTable{in: bufio.NewReaderSize(in, 64<<10), members: make(map[string]json.RawMessage)}
}

func (t *lineTable) read() (row, error) {
	for {
		tooLong, err := t.readLine()
		if err != nil {
			return row{}, err
		}
		t.line++
		if tooLong {
			return row{line: t.line, defect: errRecordTooLong}, nil
		}
		if text := bytes.TrimSpace(t.text); len(text) > 0 {
			return row{line: t.line, cell: t.cell, defect: t.parse(text)}, nil
		}
	}
}

// readLine reads a line into text, or passes over one that is too long; io.EOF after the last.
func (t *lineTable) readLine() (tooLong bool, err error) {
	t.text = t.text[:0]
	for some := false; ; some = true {
		part, err := t.in.ReadSlice('\n')
		if tooLong = tooLong || len(t.text)+len(part) > maxRecord; !tooLong {
			t.text = append(t.text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (some || len(part) > 0):
			return tooLong, nil
		default:
			return tooLong, err
		}
	}
}

// parse reads the members. encoding/json would let the last of two members of one name win.
func (t *lineTable) parse(text []byte) *privacy.Error {
	clear(t.members)
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errNotAnObject
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return errNotAnObject
		}
		if _, again := t.members[name]; again {
			return errTwoMembers
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return errNotAnObject
		}
		t.members[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return errNotAnObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errNotAnObject
	}
	return nil
}

func (t *lineTable) cell(column string) (string, bool) {
	value, _ := member(t.members, column)
	return cellText(value), true
}

// member finds a column in an object: a member of that name, or one inside another.
func member(members map[string]json.RawMessage, column string) (json.RawMessage, bool) {
	if value, ok := members[column]; ok {
		return value, true
	}
	outer, inner, dotted := strings.Cut(column, ".")
	value, ok := members[outer]
	if !dotted || !ok {
		return nil, false
	}
	var nested map[string]json.RawMessage
	if json.Unmarshal(value, &nested) != nil {
		return nil, false
	}
	return member(nested, inner)
}

func cellText(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return text
	default:
		return string(value)
	}
}

// checkMembers looks for the mapping's columns in the records at the head of a file. One that
// none of them has is more often misspelt than rare.
func checkMembers(head io.Reader, m *mapping.Mapping) error {
	table, seen, records, sound := newLineTable(head), make(map[string]bool), 0, 0
	for {
		record, err := table.read()
		if err != nil {
			break // the end, or what reading the file in earnest will meet
		}
		records++
		if record.defect != nil {
			continue
		}
		sound++
		for _, column := range m.Columns() {
			if !seen[column] {
				_, seen[column] = member(table.members, column)
			}
		}
	}
	switch {
	case records == 0:
		return errEmptyFile
	case sound == 0:
		return nil // nothing to judge by; every record will be judged by itself
	}
	return missingColumns(m.Columns(), func(column string) bool { return seen[column] })
}
