package export

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"iter"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// table is one section of a file, in each of its forms.
type table interface {
	called() string
	writeJSON(w io.Writer) error
	writeCSV(w io.Writer) error
	writePage(p *page) error
}

// column is one thing that is told of every row.
type column[T any] struct {
	name string          // in CSV
	raw  func(*T) string // as a program reads it
	say  func(*T, *words) string
}

// rows is a section: its name, what it lists, and what is told of each.
type rows[T any] struct {
	name    string
	list    iter.Seq2[T, error]
	columns []column[T]
}

func (t *rows[T]) called() string { return t.name }

// each goes through the rows.
func (t *rows[T]) each(take func(row *T) error) error {
	for row, err := range t.list {
		if err != nil {
			return err
		}
		if err := take(&row); err != nil {
			return err
		}
	}
	return nil
}

func (t *rows[T]) writeJSON(w io.Writer) error {
	separator := "["
	err := t.each(func(row *T) error {
		if err := put(w, separator+"\n    "); err != nil {
			return err
		}
		separator = ","
		return putJSON(w, row)
	})
	if err != nil {
		return err
	}
	if separator == "[" {
		return put(w, "[]")
	}
	return put(w, "\n  ]")
}

// byteOrderMark tells spreadsheets that a table is in UTF-8.
const byteOrderMark = "\ufeff"

func (t *rows[T]) writeCSV(w io.Writer) error {
	if err := put(w, byteOrderMark); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	cells := make([]string, len(t.columns))
	for i := range t.columns {
		cells[i] = t.columns[i].name
	}
	_ = out.Write(cells) // Error tells
	err := t.each(func(row *T) error {
		for i := range t.columns {
			cells[i] = harmless(t.columns[i].raw(row))
		}
		return out.Write(cells)
	})
	out.Flush()
	if failed := out.Error(); err == nil && failed != nil {
		err = failed
	}
	return err
}

// harmless keeps text from being read as a formula by a spreadsheet (OWASP, "CSV Injection").
func harmless(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n|%") || strings.HasPrefix(cell, "＝") || strings.HasPrefix(cell, "＋") || strings.HasPrefix(cell, "－") || strings.HasPrefix(cell, "＠") {
		return "'" + cell
	}
	return cell
}

// pageRows is how many rows of a section the page shows.
const pageRows = 1000

func (t *rows[T]) writePage(p *page) error {
	var shown []column[T]
	var titles []string
	for _, c := range t.columns {
		if c.say != nil {
			shown, titles = append(shown, c), append(titles, p.words.title(c.name))
		}
	}
	if err := p.open(t.name, titles); err != nil {
		return err
	}
	more, cells := -pageRows, make([]string, len(shown))
	err := t.each(func(row *T) error {
		if more++; more > 0 {
			return nil
		}
		for i := range shown {
			cells[i] = shown[i].say(row, p.words)
		}
		return p.row(cells)
	})
	if err != nil {
		return err
	}
	return p.close(t.name, more == -pageRows, max(more, 0))
}

func put(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

func putJSON(w io.Writer, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return privacy.Internal(nil, "write an export")
	}
	_, err = w.Write(content)
	return err
}
