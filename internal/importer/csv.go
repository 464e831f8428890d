package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// Limits of one record, in bytes of UTF-8. What is longer is passed over without being kept.
const (
	maxRecord = 1 << 20
	maxField  = 256 << 10
)

// What can be wrong with a record of any format.
var (
	errRecordTooLong = privacy.Invalid("record_too_long", "a record is at most 1 MiB long")
	errFieldTooLong  = privacy.Invalid("field_too_long", "a field is at most 256 KiB long")
)

// What can be wrong with a record of CSV.
var (
	errStrayQuote    = privacy.Invalid("csv_stray_quote", "a quote stands inside a field; a field with quotes is quoted whole, and its quotes doubled")
	errUnclosedQuote = privacy.Invalid("csv_unclosed_quote", "a quoted field is not closed; everything from this line to the end of the file was read as one field")
)

// csvReader reads CSV as RFC 4180 has it, with any delimiter and any of the line ends LF and CR LF
// (which becomes LF inside quotes); lines without anything on them are passed over. On
// well-formed input it reads what encoding/csv reads. Unlike that, it goes on after a
// malformed record and holds no more of a record than the limits allow.
type csvReader struct {
	in    *bufio.Reader
	comma []byte
	line  int // the one to be read next, from 1

	text   []byte // the record's fields, end to end
	ends   []int
	fields []string
	size   int            // bytes of the record, kept or not
	defect *privacy.Error // the first one
}

// csvRecord is one record. Its fields are valid until the next is read.
type csvRecord struct {
	line   int // on which it starts
	fields []string
	defect *privacy.Error // why it cannot be used; the fields are not set then
}

func newCSVReader(in io.Reader, comma rune) *csvReader {
	return &csvReader{in: bufio.NewReaderSize(in, 64<<10), comma: utf8.AppendRune(nil, comma), line: 1}
}

// csvState says where in a record the reader is.
type csvState uint8

const (
	fieldStart csvState = iota
	inField
	inQuotes
	afterQuote // which closes the field, or is the first of a doubled one
)

// csvSymbol is what the grammar tells apart.
type csvSymbol uint8

const (
	symbolByte csvSymbol = iota
	symbolComma
	symbolQuote
	symbolNewline
	symbolEnd
)

// read reads the next record; io.EOF after the last.
func (r *csvReader) read() (csvRecord, error) {
	r.text, r.ends, r.size, r.defect = r.text[:0], r.ends[:0], 0, nil
	start, state := r.line, fieldStart
	for {
		symbol, b, err := r.symbol()
		if err != nil {
			return csvRecord{}, err
		}
		if symbol == symbolNewline {
			r.line++
		}
		if finished := (symbol == symbolNewline && state != inQuotes) || symbol == symbolEnd; finished {
			if r.size > 0 {
				return r.finish(start, state), nil
			}
			if symbol == symbolEnd {
				return csvRecord{}, io.EOF
			}
			start = r.line // nothing on the line
			continue
		}
		if r.size++; r.size > maxRecord {
			r.spoil(errRecordTooLong)
		}
		state = r.step(state, symbol, b)
	}
}

// step takes one symbol that does not end the record.
func (r *csvReader) step(state csvState, symbol csvSymbol, b byte) csvState {
	switch {
	case symbol == symbolComma && state != inQuotes:
		if r.defect == nil {
			r.ends = append(r.ends, len(r.text))
		}
		return fieldStart
	case symbol == symbolQuote && state == fieldStart:
		return inQuotes
	case symbol == symbolQuote && state == inQuotes:
		return afterQuote
	case symbol == symbolQuote && state == afterQuote:
		r.keep('"')
		return inQuotes
	case symbol == symbolQuote || state == afterQuote:
		r.spoil(errStrayQuote)
		return inField // so that the record ends with the line
	case symbol == symbolComma:
		for _, b := range r.comma {
			r.keep(b)
		}
		return state
	default:
		r.keep(b)
		if state == inQuotes {
			return inQuotes
		}
		return inField
	}
}

func (r *csvReader) keep(b byte) {
	if r.defect != nil {
		return
	}
	r.text = append(r.text, b)
	begin := 0
	if len(r.ends) > 0 {
		begin = r.ends[len(r.ends)-1]
	}
	if len(r.text)-begin > maxField {
		r.spoil(errFieldTooLong)
	}
}

// spoil marks the record as unusable and lets go of it; its end is still looked for.
func (r *csvReader) spoil(defect *privacy.Error) {
	if r.defect == nil {
		r.defect = defect
	}
	r.text, r.ends = r.text[:0], r.ends[:0]
}

func (r *csvReader) finish(line int, state csvState) csvRecord {
	if state == inQuotes {
		r.defect = errUnclosedQuote // explains whatever else was wrong
	}
	if r.defect != nil {
		return csvRecord{line: line, defect: r.defect}
	}
	text := string(r.text) // once for all fields
	r.fields = r.fields[:0]
	begin := 0
	for _, end := range append(r.ends, len(text)) {
		r.fields = append(r.fields, text[begin:end])
		begin = end
	}
	return csvRecord{line: line, fields: r.fields}
}

// symbol reads the next symbol. A carriage return before a line feed or the end of the file is part
// of that, and anywhere else a character.
func (r *csvReader) symbol() (csvSymbol, byte, error) {
	b, err := r.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return symbolEnd, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	switch b {
	case '"':
		return symbolQuote, b, nil
	case '\n':
		return symbolNewline, b, nil
	case '\r':
		return r.afterReturn()
	case r.comma[0]:
		rest := r.comma[1:]
		if next, _ := r.in.Peek(len(rest)); !bytes.Equal(next, rest) {
			return symbolByte, b, nil
		}
		_, err := r.in.Discard(len(rest))
		return symbolComma, b, err
	default:
		return symbolByte, b, nil
	}
}

func (r *csvReader) afterReturn() (csvSymbol, byte, error) {
	next, err := r.in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		return symbolEnd, 0, nil
	case err != nil:
		return 0, 0, err
	case next[0] == '\n':
		_, err := r.in.Discard(1)
		return symbolNewline, '\n', err
	default:
		return symbolByte, '\r', nil
	}
}
