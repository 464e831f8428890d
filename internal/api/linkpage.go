package api

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed linkpage
var linkFiles embed.FS

// linkText is what the page of a link says in one language.
type linkText struct {
	Language, Title, Ask, Button, Done, Invalid, Failed, NoScript string
}

// exportTexts are what the page of an export says, by language, the one for everybody else first.
var exportTexts = []linkText{
	{"en", "Your data", "Press the button to download the file with your data. The link works once.", "Download", "The file has been downloaded. Keep it in a safe place.",
		"This link does not work. It may have been used before, or have expired: please ask for a new one.", "Something went wrong. Please ask for a new link.", "Please allow scripts on this page, which fetches your file."},
	{"zh", "您的个人信息", "请点击按钮下载包含您个人信息的文件。该链接仅可使用一次。", "下载", "文件已下载，请妥善保管。", "该链接无效，可能已被使用或已过期，请重新申请。", "出现问题，请重新申请链接。", "请允许本页面运行脚本，以便获取您的文件。"},
	{"de", "Ihre Daten", "Drücken Sie auf den Knopf, um die Datei mit Ihren Daten herunterzuladen. Der Link gilt einmal.", "Herunterladen", "Die Datei wurde heruntergeladen. Bewahren Sie sie sicher auf.",
		"Dieser Link funktioniert nicht. Vielleicht wurde er schon benutzt oder ist abgelaufen: Bitte fordern Sie einen neuen an.", "Etwas ist schiefgegangen. Bitte fordern Sie einen neuen Link an.", "Bitte erlauben Sie Skripte auf dieser Seite, die Ihre Datei holt."},
}

// linkPages answers a link with a page that changes nothing by being looked at: mail programs and scanners open every
// link. The token stands after the # and is sent by the button alone, by the script of the given name.
func linkPages(name string, texts []linkText) http.Handler {
	page := template.Must(template.ParseFS(linkFiles, "linkpage/page.html"))
	script, _ := linkFiles.ReadFile("linkpage/" + name) // embedded: it is there
	style, _ := linkFiles.ReadFile("linkpage/page.css")
	policy := "default-src 'none'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; script-src '" + sourceHash(script) + "'; style-src '" + sourceHash(style) + "'"
	pages := make(map[string][]byte, len(texts))
	for _, text := range texts {
		var out bytes.Buffer
		_ = page.Execute(&out, struct { // to memory, from constants
			linkText
			Script template.JS
			Style  template.CSS
		}{text, template.JS(script), template.CSS(style)}) //nolint:gosec // both are files of ours
		pages[text.Language] = out.Bytes()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := pages[strings.ToLower(r.URL.Query().Get("l"))]
		if !ok {
			content = pages[texts[0].Language]
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(content)
	})
}

func sourceHash(source []byte) string {
	sum := sha256.Sum256(source)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
