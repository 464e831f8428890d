package export

import (
	"archive/zip"
	"io"

	"github.com/consentry/consentry/internal/privacy"
)

// Write writes the file as a stream. After an error what was written is no file: it lacks the directory that a ZIP file ends with.
func Write(w io.Writer, source *Source) error {
	source.Head.Format = Format
	p := &writer{zip: zip.NewWriter(w), source: source, tables: source.tables()}
	if err := p.file("data.json", p.data); err != nil {
		return err
	}
	if source.Head.Kind == privacy.RequestAccess {
		if err := p.file("index.html", p.page); err != nil {
			return err
		}
	}
	for _, t := range p.tables {
		if err := p.file(t.called()+".csv", t.writeCSV); err != nil {
			return err
		}
	}
	return p.zip.Close()
}

type writer struct {
	zip    *zip.Writer
	source *Source
	tables []table
}

func (p *writer) file(name string, write func(io.Writer) error) error {
	file, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.source.Head.MadeAt.UTC()})
	if err != nil {
		return err
	}
	return write(file)
}

// data writes data.json: the head, and then each section as a member of its own.
func (p *writer) data(w io.Writer) error {
	if err := put(w, "{\n  \"head\": "); err != nil {
		return err
	}
	if err := putJSON(w, &p.source.Head); err != nil {
		return err
	}
	for _, t := range p.tables {
		if err := put(w, ",\n  \""+t.called()+"\": "); err != nil {
			return err
		}
		if err := t.writeJSON(w); err != nil {
			return err
		}
	}
	return put(w, "\n}\n")
}

func (p *writer) page(w io.Writer) error {
	page, err := openPage(w, p.source)
	if err != nil {
		return err
	}
	for _, t := range p.tables {
		if err := t.writePage(page); err != nil {
			return err
		}
	}
	return page.end()
}
