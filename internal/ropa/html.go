package ropa

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

//go:embed record.html.tmpl
var page string

// HTML writes the record as a page to read and print. It loads nothing from anywhere.
func (r *Record) HTML(w io.Writer) error {
	parsed, err := template.New("record").Funcs(template.FuncMap{
		"day": func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") },
		"yes": yes,
	}).Parse(page)
	if err == nil {
		err = parsed.Execute(w, r)
	}
	if err != nil {
		return privacy.Internal(nil, "write the record as a page")
	}
	return nil
}

// PagePolicy is the Content-Security-Policy that the page is served under: it has styles of its own, and nothing else.
const PagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
