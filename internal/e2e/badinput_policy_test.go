package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// What officers send that cannot be meant is refused with its place, nothing of it is repeated, and neither the
// draft nor the policy in force changes.
func TestBadInputDrafts(t *testing.T) {
	v := setup(t)
	d := v.edit(v.begin("Bad input"), `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)
	path := drafts + "/" + d.ID
	inForce := v.inForce()
	matrix := func(cells string) string { return `{"data":{"matrix":{` + cells + `}}}` }
	client := func(fields string) string {
		return `{"data":{"clients":{"crm-mailer":{` + fields + `}}}}`
	}
	many := strings.Repeat("a", 300<<10)
	for _, c := range []struct {
		name, route, version, body string
		status                     int
		code, place                string
	}{
		{"a cell of an unknown attribute", "PATCH " + path, tag(d), matrix(`"` + marker + `":{"marketing.email":"plain"}`), 422, "invalid_policy_table", "/data/matrix"},
		{"a cell of an unknown purpose", "PATCH " + path, tag(d), matrix(`"email":{"` + marker + `":"plain"}`), 422, "invalid_policy_table", "/data/matrix/email"},
		{"a cell with an unknown mode", "PATCH " + path, tag(d), matrix(`"email":{"marketing.sms":"` + marker + `"}`), 422, "invalid_policy_table", "/data/matrix/email/marketing.sms"},
		{"a row that is none", "PATCH " + path, tag(d), matrix(`"email":"` + marker + `"`), 422, "invalid_policy_table", "/data/matrix/email"},
		{"a client of an unknown purpose", "PATCH " + path, tag(d), client(`"purposes":["` + marker + `"]`), 422, "invalid_policy_table", "/data/clients/crm-mailer/purposes/0"},
		{"a client in no country", "PATCH " + path, tag(d), client(`"country":"` + marker + `"`), 422, "invalid_policy_table", "/data/clients/crm-mailer/country"},
		{"a client with a field too many", "PATCH " + path, tag(d), client(`"` + marker + `":1`), 422, "invalid_policy_table", "/data/clients/crm-mailer"},
		{"a purpose without a title", "PATCH " + path, tag(d), `{"data":{"purposes":{"marketing.email":{"title":null}}}}`, 422, "invalid_policy_table", "/data/purposes/marketing.email"},
		{"a purpose under no law", "PATCH " + path, tag(d), `{"data":{"purposes":{"marketing.email":{"basis":{"` + marker + `":"consent"}}}}}`, 422, "invalid_policy_table", ""},
		{"an unknown role", "PATCH " + path, tag(d), `{"data":{"operations":{"consents-list":{"roles":["` + marker + `"]}}}}`, 422, "invalid_policy_table", "/data/operations/consents-list/roles/0"},
		{"a country under no law", "PATCH " + path, tag(d), `{"data":{"regimes":{"countries":{"DE":"` + marker + `"}}}}`, 422, "invalid_policy_table", "/data/regimes/countries/DE"},
		{"a case that expects nothing", "PATCH " + path, tag(d), `{"tests":{"cases":[{"name":"` + marker + `","input":{"client":"x","purpose":"y","attributes":["z"]}}]}}`, 422, "invalid_policy_table", ""},
		{"a case of another shape", "PATCH " + path, tag(d), `{"tests":{"cases":[{"` + marker + `":1}]}}`, 422, "invalid_revision", ""},
		{"a module with a path", "PATCH " + path, tag(d), `{"modules":{"../` + marker + `.rego":"package x"}}`, 422, "invalid_policy_table", ""},
		{"a module too large", "PATCH " + path, tag(d), `{"modules":{"large.rego":"# ` + many + `"}}`, 422, "invalid_policy_table", ""},
		{"a draft too large", "PATCH " + path, tag(d), `{"tests":{"modules":{"large.rego":"# ` + strings.Repeat(many, 15) + `"}}}`, 413, "draft_too_large", ""},
		{"no modules at all", "PATCH " + path, tag(d), `{"modules":null}`, 422, "invalid_revision", ""},
		{"no data at all", "PATCH " + path, tag(d), `{"data":null}`, 422, "invalid_document", ""},
		{"data that is a text", "PATCH " + path, tag(d), `{"data":"` + marker + `"}`, 422, "invalid_document", ""},
		{"an unknown part", "PATCH " + path, tag(d), `{"` + marker + `":{}}`, 422, "unknown_part", ""},
		{"attributes", "PATCH " + path, tag(d), `{"data":{"attributes":{"` + marker + `":{"classification":"public"}}}}`, 422, "attributes_fixed", ""},
		{"nothing", "PATCH " + path, tag(d), `{}`, 422, "empty_patch", ""},
		{"a list", "PATCH " + path, tag(d), `["` + marker + `"]`, 422, "invalid_request", ""},
		{"no title", "PATCH " + path, tag(d), `{"title":""}`, 422, "invalid_text", ""},
		{"a title of numbers", "PATCH " + path, tag(d), `{"title":4711}`, 422, "invalid_text", ""},
		{"a long title", "PATCH " + path, tag(d), `{"title":"` + marker + strings.Repeat("x", 200) + `"}`, 422, "invalid_text", ""},
		{"no version", "PATCH " + path, "", `{"title":"` + marker + `"}`, 422, "invalid_version", ""},
		{"a version of words", "PATCH " + path, marker, `{"title":"` + marker + `"}`, 422, "invalid_version", ""},
		{"an old version", "PATCH " + path, `"1"`, `{"title":"` + marker + `"}`, 409, "draft_changed", ""},
		{"a version to come", "PATCH " + path, `"9"`, `{"title":"` + marker + `"}`, 409, "draft_changed", ""},
		{"a draft that is not there", "PATCH " + drafts + "/" + nobody, `"1"`, `{"title":"` + marker + `"}`, 404, "draft_not_found", ""},
		{"a draft by a bad id", "GET " + drafts + "/" + marker, "", "", 422, "invalid_id", ""},
		{"a part that is not there", "GET " + path + "?part=/data/" + marker, "", "", 404, "part_not_found", ""},
		{"drafts in no state", "GET " + drafts + "?state=" + marker, "", "", 422, "invalid_request", ""},
		{"drafts after nothing", "GET " + drafts + "?cursor=" + marker, "", "", 422, "invalid_cursor", ""},
		{"begin without a title", "POST " + drafts, "", `{"title":""}`, 422, "invalid_request", ""},
		{"begin from a bad id", "POST " + drafts, "", `{"title":"x","from":"` + marker + `"}`, 422, "invalid_revision_id", ""},
		{"begin from nowhere", "POST " + drafts, "", `{"title":"x","from":"` + strings.Repeat("0", 64) + `"}`, 404, "revision_not_found", ""},
		{"begin with a text", "POST " + drafts, "", `{"title":"x","content":"` + marker + `"}`, 422, "invalid_document", ""},
		{"begin with half a policy", "POST " + drafts, "", `{"title":"x","content":{"data":{"` + marker + `":1}}}`, 422, "invalid_revision", ""},
		{"begin with too much", "POST " + drafts, "", `{"title":"x","content":{"data":{},"modules":{"a.rego":"package a"},"` + marker + `":1}}`, 422, "invalid_revision", ""},
		{"submit an old version", "POST " + path + "/submit", `"1"`, "", 409, "draft_changed", ""},
		{"publish a draft", "POST " + path + "/publish", "", "", 409, "draft_not_approved", ""},
		{"approve a draft", "POST " + path + "/approve", "", `{"revision":"` + d.Revision + `"}`, 409, "draft_not_submitted", ""},
		{"approve something else", "POST " + path + "/approve", "", `{"revision":"` + strings.Repeat("0", 64) + `"}`, 409, "draft_changed", ""},
		{"reject without a word", "POST " + path + "/reject", "", `{"revision":"` + d.Revision + `"}`, 422, "comment_needed", ""},
		{"a revision that is not there", "GET " + revisions + "/" + strings.Repeat("0", 64), "", "", 404, "revision_not_found", ""},
		{"a revision by a bad id", "GET " + revisions + "/" + marker, "", "", 422, "invalid_revision_id", ""},
		{"roll back to nothing", "POST " + revisions + "/" + strings.Repeat("0", 64) + "/rollback", "", `{"reason":"x"}`, 404, "revision_not_found", ""},
		{"roll back to what is in force", "POST " + revisions + "/" + inForce + "/rollback", "", `{"reason":"` + marker + `"}`, 409, "already_in_force", ""},
		{"roll back for no reason", "POST " + revisions + "/" + inForce + "/rollback", "", `{"reason":""}`, 422, "invalid_request", ""},
		{"publications after nothing", "GET " + revisions + "?cursor=" + marker, "", "", 422, "invalid_cursor", ""},
		{"differ from nothing", "GET " + path + "/diff?with=" + marker, "", "", 422, "invalid_revision_id", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, route, _ := strings.Cut(c.route, " ")
			token := v.token("olga", privacy.RoleOfficer)
			if strings.HasSuffix(route, "/approve") || strings.HasSuffix(route, "/reject") || strings.HasSuffix(route, "/publish") {
				token = v.approver()
			}
			a := v.step(method, route, token, c.version, c.body)
			v.wantProblem(t, a, c.status, c.code)
			if c.place != "" && !strings.Contains(string(a.body), `"location":"`+c.place+`"`) {
				t.Errorf("the problem does not say %s: %s", c.place, a.body)
			}
			var now draft
			v.get(path, v.officer()).into(t, &now)
			if now.Version != d.Version || now.Revision != d.Revision || now.State != "draft" || v.inForce() != inForce {
				t.Errorf("something has changed: %+v", now)
			}
		})
	}
	var all struct{ Drafts []draft }
	v.get(drafts, v.officer()).into(t, &all)
	if len(all.Drafts) != 1 {
		t.Errorf("%d drafts", len(all.Drafts))
	}
}

// Modules may be wrong while somebody works on them. A test says where, in the officer's own words; submitting
// is refused, and nothing that is in force changes.
func TestBadInputModules(t *testing.T) {
	v := setup(t)
	d := v.begin("Modules")
	inForce := v.inForce()
	for _, c := range []struct{ name, patch, code, place string }{
		{"a clock", `{"modules":{"extra.rego":"package consentry.extra\n\nlate if time.now_ns() > 0\n"}}`, "forbidden_builtin", `"line":3,"column":9`},
		{"the network", `{"modules":{"extra.rego":"package consentry.extra\n\nfetched := http.send({\"method\": \"get\", \"url\": \"http://localhost\"})\n"}}`, "forbidden_builtin", `"line":3`},
		{"a rule that rests on itself", `{"modules":{"extra.rego":"package consentry.extra\n\na if b\n\nb if a\n"}}`, "recursion", `"line":3`},
		{"a syntax error", `{"modules":{"extra.rego":"package consentry.extra\n\na if {\n"}}`, "syntax", `"line":`},
		{"no decision", `{"modules":{"disclosure.rego":"package consentry.disclosure\n\nother := 1\n"}}`, "missing_entry_point", ""},
		{"a decision of another shape", `{"modules":{"disclosure.rego":"package consentry.disclosure\n\ndecision := {\"yes\": true}\n"}}`, "wrong_shape", ""},
		{"a product of tables", `{"modules":{"disclosure.rego":"package consentry.disclosure\n\ndecision := {\"permitted\": {}, \"withheld\": {x: \"policy_error\" | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); some k in numbers.range(1, 3000); i * j * k == 0; x := input.attributes[0]}}\n"}}`, "too_expensive", ""},
		{"nobody who approves", `{"data":{"operations":{"policy-drafts-approve":{"roles":["officer"]}}}}`, "locks_everybody_out", "/data/operations/policy-drafts-approve"},
		{"nobody who publishes", `{"data":{"operations":{"policy-drafts-publish":null}}}`, "locks_everybody_out", "/data/operations/policy-drafts-publish"},
		{"a case that fails", `{"tests":{"cases":[` + emailCase + `]}}`, "", `"differ":["email"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			clean := v.begin(c.name)
			now := v.moved(v.step(http.MethodPatch, drafts+"/"+clean.ID, v.officer(), tag(clean), c.patch))
			a := v.post(drafts+"/"+now.ID+"/test", v.officer(), nil, http.StatusOK)
			var report struct {
				Pass     bool
				Problems []struct{ Code string }
			}
			a.into(t, &report)
			if report.Pass || c.code != "" && (len(report.Problems) == 0 || report.Problems[0].Code != c.code) || !strings.Contains(string(a.body), c.place) {
				t.Errorf("the test says %.600s", a.body)
			}
			refused := v.step(http.MethodPost, drafts+"/"+now.ID+"/submit", v.officer(), tag(now), nil)
			v.wantProblem(t, refused, http.StatusUnprocessableEntity, "tests_failed")
			if !strings.Contains(string(refused.body), `"errors":[`) || strings.Contains(string(refused.body), "extra") {
				t.Errorf("the refusal says %s", refused.body)
			}
			var after draft
			v.get(drafts+"/"+now.ID, v.officer()).into(t, &after)
			if after.State != "draft" || v.inForce() != inForce {
				t.Errorf("%+v", after)
			}
		})
	}
	if report := v.post(drafts+"/"+d.ID+"/test", v.officer(), nil, http.StatusOK); !strings.Contains(string(report.body), `"pass":true`) {
		t.Errorf("the built-in policy does not pass: %.500s", report.body)
	}
}

// probe is a request, in order or not, for a test of who may call what.
type probe struct{ method, path, body string }

func policyProbes(d draft) map[string][]probe {
	draft, none := drafts+"/"+d.ID, drafts+"/"+nobody
	return map[string][]probe{
		"policy-drafts-create":      {{"POST", drafts, `{"title":"x"}`}, {"POST", drafts, `{"title":"x","from":"` + nobody + `"}`}},
		"policy-drafts-list":        {{"GET", drafts, ""}, {"GET", drafts + "?cursor=x", ""}},
		"policy-drafts-get":         {{"GET", draft, ""}, {"GET", none, ""}, {"GET", drafts + "/x", ""}},
		"policy-drafts-edit":        {{"PATCH", draft, `{"title":"x"}`}, {"PATCH", none, `{"title":"x"}`}},
		"policy-drafts-abandon":     {{"DELETE", draft, ""}, {"DELETE", drafts + "/x", ""}},
		"policy-drafts-test":        {{"POST", none + "/test", ""}},
		"policy-drafts-preview":     {{"POST", none + "/preview", `{}`}},
		"policy-drafts-submit":      {{"POST", draft + "/submit", ""}, {"POST", none + "/submit", ""}},
		"policy-drafts-approve":     {{"POST", draft + "/approve", `{"revision":"x"}`}, {"POST", none + "/approve", `{"revision":"x"}`}},
		"policy-drafts-reject":      {{"POST", draft + "/reject", `{"revision":"x"}`}, {"POST", none + "/reject", `{"revision":"x"}`}},
		"policy-drafts-rebase":      {{"POST", draft + "/rebase", ""}, {"POST", none + "/rebase", ""}},
		"policy-drafts-publish":     {{"POST", draft + "/publish", ""}, {"POST", none + "/publish", ""}},
		"policy-drafts-diff":        {{"GET", draft + "/diff", ""}, {"GET", drafts + "/x/diff", ""}},
		"policy-revisions-list":     {{"GET", revisions, ""}, {"GET", revisions + "?cursor=x", ""}},
		"policy-revisions-get":      {{"GET", revisions + "/x", ""}, {"GET", revisions + "/" + strings.Repeat("0", 64), ""}},
		"policy-revisions-diff":     {{"GET", revisions + "/x/diff", ""}},
		"policy-revisions-rollback": {{"POST", revisions + "/x/rollback", `{"reason":"x"}`}, {"POST", revisions + "/" + strings.Repeat("0", 64) + "/rollback", `{"reason":"x"}`}},
	}
}
