package api

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs
var docsFiles embed.FS

// docsTag is what the page says of the operations of one kind.
type docsTag struct {
	*huma.Tag
	Operations []*huma.Operation
}

// docsPage answers GET /docs with the OpenAPI document as a page to read. It takes nothing from anywhere else: those who may
// see the vault's network often see no other.
func docsPage(document *huma.OpenAPI) http.Handler {
	functions := template.FuncMap{"name": path.Base, "json": func(v any) string {
		text, _ := json.MarshalIndent(v, "", "  ") // it is in the document, which is served as JSON
		return string(text)
	}}
	page := template.Must(template.New("page.html").Funcs(functions).ParseFS(docsFiles, "docs/page.html"))
	style, _ := docsFiles.ReadFile("docs/page.css") // embedded: it is there
	var out bytes.Buffer
	if err := page.Execute(&out, struct {
		Info    *huma.Info
		Tags    []docsTag
		Schemas map[string]*huma.Schema
		Style   template.CSS
	}{document.Info, docsTags(document), document.Components.Schemas.Map(), template.CSS(style)}); err != nil { //nolint:gosec // a file of ours
		panic(err) // to memory, from constants: the template is wrong
	}
	policy := "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; style-src '" + sourceHash(style) + "'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(out.Bytes())
	})
}

// docsTags gives the operations by tag, in the order of their paths.
func docsTags(document *huma.OpenAPI) []docsTag {
	tags := make([]docsTag, len(document.Tags))
	for i, tag := range document.Tags {
		tags[i].Tag = tag
		for _, item := range document.Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
				if op != nil && slices.Contains(op.Tags, tag.Name) {
					tags[i].Operations = append(tags[i].Operations, op)
				}
			}
		}
		slices.SortFunc(tags[i].Operations, func(a, b *huma.Operation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
	}
	return tags
}

// sentAsJSON takes out of an operation's description the other form of body that Huma lists when the bytes are kept as they
// came, for the Idempotency-Key.
func sentAsJSON(_ *huma.OpenAPI, op *huma.Operation) {
	if body := op.RequestBody; body != nil && body.Content["application/json"] != nil {
		delete(body.Content, "application/octet-stream")
	}
}
