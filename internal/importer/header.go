package importer

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// csvTable reads records under a header.
type csvTable struct {
	reader *csvReader
	at     map[string]int // column → its place
	width  int
	fields []string // of the current record
}

// newCSVTable reads the header and refuses a file that the mapping does not fit.
func newCSVTable(in io.Reader, m *mapping.Mapping) (*csvTable, error) {
	comma, _ := utf8.DecodeRuneInString(m.Delimiter)
	t := &csvTable{reader: newCSVReader(in, comma), at: make(map[string]int)}
	header, err := t.reader.read()
	if err == io.EOF { //nolint:errorlint // as read gives it
		return nil, errEmptyFile
	}
	if err != nil {
		return nil, unreadable(err)
	}
	if header.defect != nil {
		return nil, privacy.Invalid("invalid_header", "the first line is not a header: "+header.defect.Detail)
	}
	twice := make(map[string]bool)
	for i, name := range header.fields {
		name = strings.Clone(strings.TrimSpace(name))
		_, again := t.at[name]
		twice[name] = again
		t.at[name] = i
	}
	t.width = len(header.fields)
	for _, column := range m.Columns() {
		if twice[column] {
			return nil, privacy.Invalid("duplicate_column", fmt.Sprintf("the header has the column %s more than once", column))
		}
	}
	return t, missingColumns(m.Columns(), func(column string) bool { _, ok := t.at[column]; return ok })
}

func (t *csvTable) read() (row, error) {
	record, err := t.reader.read()
	if err != nil {
		return row{}, err
	}
	if record.defect == nil && len(record.fields) != t.width {
		record.defect = privacy.Invalid("ragged_row", fmt.Sprintf("the row has %d fields, the header has %d; is a delimiter inside an unquoted field?", len(record.fields), t.width))
	}
	t.fields = record.fields
	return row{line: record.line, cell: t.cell, defect: record.defect}, nil
}

func (t *csvTable) cell(column string) (string, bool) {
	i, ok := t.at[column]
	if !ok {
		return "", false
	}
	return t.fields[i], true
}

// missingColumns refuses a table that lacks columns of the mapping. Their names are the
// operator's own, from the mapping.
func missingColumns(columns []string, has func(column string) bool) error {
	missing := slices.DeleteFunc(slices.Clone(columns), has)
	if len(missing) == 0 {
		return nil
	}
	detail := "the mapping names columns that the file lacks: " + strings.Join(missing[:min(len(missing), 10)], ", ")
	if len(missing) > 10 {
		detail += " and more"
	}
	return privacy.Invalid("missing_columns", detail)
}

var errEmptyFile = privacy.Invalid("empty_file", "the file is empty")

// unreadable tells of a file that cannot be read on. The system's message has a path and
// no content.
func unreadable(err error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "file_unreadable", Detail: "the file cannot be read", Cause: err}
}
