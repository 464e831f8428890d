package export

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/consentry/consentry/internal/privacy"
)

//go:embed page.html.tmpl
var pageText string

// page is the file's page while it is being written: a section at a time, a row at a time. It loads nothing from anywhere.
type page struct {
	to    io.Writer
	parts *template.Template
	words *words
}

func openPage(w io.Writer, source *Source) (*page, error) {
	said := &words{dictionary: wordsIn(source.Head.Language), attributes: source.Titles}
	parts, err := template.New("page").Funcs(template.FuncMap{"say": said.of, "text": said.text, "day": said.day}).Parse(pageText)
	if err != nil {
		return nil, privacy.Internal(nil, "read the page of an export")
	}
	p := &page{to: w, parts: parts, words: said}
	return p, p.part("head", &source.Head)
}

func (p *page) part(name string, data any) error { return p.parts.ExecuteTemplate(p.to, name, data) }

// section is what the page says around the rows of one.
type section struct {
	Name    string
	Columns []string
	Empty   bool
	More    int // rows that the page does not show
}

func (p *page) open(name string, columns []string) error {
	return p.part("open", section{Name: name, Columns: columns})
}

func (p *page) row(cells []string) error { return p.part("row", cells) }

func (p *page) close(name string, empty bool, more int) error {
	return p.part("close", section{Name: name, Empty: empty, More: more})
}

func (p *page) end() error { return p.part("end", nil) }
