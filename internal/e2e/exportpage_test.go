package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The page behind a link to a file is whole in itself, in the person's language, says what to do where scripts are off, and repeats nothing of
// what it was called with; to look at it, which mail programs and scanners do, uses nothing up.
func TestExportPage(t *testing.T) {
	v := setup(t)
	id := v.store("page@example.com", object{"email": "page@example.com", "country": "DE"})
	link := v.link(v.askFor("access", id), id)
	before := v.exportRows()
	for query, c := range map[string]struct{ language, button, noScript string }{
		"": {"en", "Download", "Please allow scripts"}, "?l=de": {"de", "Herunterladen", "Bitte erlauben Sie Skripte"}, "?l=ZH": {"zh", "下载", "请允许本页面运行脚本"},
		"?l=xx": {"en", "Download", "Please allow scripts"}, "?l=%3Cscript%3Ealert(1)%3C/script%3E&token=" + link: {"en", "Download", "Please allow scripts"},
	} {
		page := v.get("/export"+query, "")
		wantPolicyFits(t, page)
		text := string(page.body)
		for _, want := range []string{`<html lang="` + c.language + `">`, ">" + c.button + "</button>", "<noscript><p>" + c.noScript, `role="status"`, `<meta name="robots" content="noindex">`} {
			if !strings.Contains(text, want) {
				t.Errorf("%q: the page lacks %q", query, want)
			}
		}
		for what, pattern := range map[string]string{"a resource of somebody else": `(?i)\b(https?:)?//[a-z]`, "something that is loaded": `(?i)\s(src|href|action|srcset|data)\s*=`, "a handler that the policy forbids": `(?i)<[^>]*\son[a-z]+\s*=`, "what it was called with": `alert\(1\)|` + regexp.QuoteMeta(link)} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%q: the page has %s: %s", query, what, found)
			}
		}
		for _, directive := range []string{"connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, directive) || strings.Contains(policy, "unsafe") {
				t.Errorf("%q: the policy is %s", query, policy)
			}
		}
		if page.header.Get("X-Content-Type-Options") != "nosniff" || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%q: headers %v", query, page.header)
		}
	}
	for _, method := range []string{http.MethodHead, http.MethodPost, http.MethodOptions} {
		v.call(method, v.url+"/export#"+link, "", nil)
	}
	if a := v.call(http.MethodGet, v.url+"/v1/exports/fetch", "", nil); a.status != http.StatusMethodNotAllowed {
		t.Errorf("a GET fetches: %d %s", a.status, a.body)
	}
	if after := v.exportRows(); after != before {
		t.Errorf("looking changes something: %s, before %s", after, before)
	}
	if a := v.fetch(link); a.status != http.StatusOK {
		t.Errorf("the link afterwards: %d %s", a.status, a.body)
	}
}
