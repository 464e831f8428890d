package policy

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// builtinTests are the tests beside the built-in modules.
func builtinTests(t testing.TB) Tests {
	t.Helper()
	modules := map[string]string{}
	for name, source := range regoSources(t) {
		if strings.HasSuffix(name, "_test.rego") {
			modules[name] = source
		}
	}
	return Tests{Modules: modules}
}

func check(t testing.TB, revision Revision) Report {
	t.Helper()
	report, err := Check(t.Context(), revision)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestBuiltInPolicyChecks(t *testing.T) {
	revision, err := defaultRevision(t).WithTests(builtinTests(t))
	if err != nil {
		t.Fatal(err)
	}
	report := check(t, revision)
	for _, problem := range report.Problems {
		t.Error(problem)
	}
	for _, test := range report.Tests {
		if !test.Pass {
			t.Error(test)
		}
	}
	if !report.Pass || report.Revision != revision.ID || len(report.Tests) < 15 {
		t.Errorf("pass %v, revision %s, %d tests", report.Pass, report.Revision, len(report.Tests))
	}
}

// The tests of a revision are part of its id, and of nothing else.
func TestTestsArePartOfTheRevision(t *testing.T) {
	plain := defaultRevision(t)
	none, err := plain.WithTests(Tests{})
	if err != nil || none.ID != plain.ID {
		t.Errorf("no tests give another id: %s, %v", none.ID, err)
	}
	one, two := Case{Name: "1"}, Case{Name: "2"}
	tested, err := plain.WithTests(Tests{Cases: []Case{two, one}})
	if err != nil || tested.ID == plain.ID {
		t.Errorf("tests give the same id, %v", err)
	}
	other, err := plain.WithTests(Tests{Cases: []Case{one, two}})
	if err != nil || other.ID != tested.ID {
		t.Errorf("the order of cases gives another id, %v", err)
	}
	content, err := tested.Content()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseRevision(content)
	if err != nil || parsed.ID != tested.ID || len(parsed.Tests.Cases) != 2 {
		t.Errorf("parsed %s, %v", parsed.ID, err)
	}
	broken, err := plain.WithTests(Tests{Modules: map[string]string{"a_test.rego": "package a\n\nsyntax error"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := NewEngine().Load(t.Context(), broken); err != nil {
		t.Errorf("a test module was loaded for decisions: %v", err)
	}
	if report := check(t, broken); report.Pass || report.Problems[0].File != "a_test.rego" {
		t.Errorf("got %v", report.Problems)
	}
}

func TestCasesOfARevision(t *testing.T) {
	granted := privacy.ConsentGranted
	question := func(name string, attributes ...privacy.AttributeName) Case {
		return Case{Name: name, Input: CaseInput{Client: "crm-mailer", Purpose: "marketing.email", Attributes: attributes},
			Subject: CaseSubject{Regime: privacy.RegimeGDPR, Country: "DE"}, Consent: CaseConsent{Status: &granted}}
	}
	modes := func(c Case, attribute privacy.AttributeName, mode privacy.Mode) Case {
		c.Permitted = map[privacy.AttributeName]privacy.Mode{attribute: mode}
		return c
	}
	reasons := func(c Case, attribute privacy.AttributeName, reason privacy.Reason) Case {
		c.Withheld = map[privacy.AttributeName]privacy.Reason{attribute: reason}
		return c
	}
	table := []struct {
		c      Case
		pass   bool
		faulty bool
	}{
		{modes(question("all that is asked", "email"), "email", "plain"), true, false},
		{modes(question("a part of it", "city", "email"), "email", "plain"), true, false},
		{modes(question("whatever form", "city", "email"), "city", "any"), true, false},
		{modes(question("another mode", "email"), "email", "mask"), false, false},
		{modes(question("withheld, in truth", "religion"), "religion", "any"), false, false},
		{reasons(question("withheld", "religion"), "religion", "sensitive_needs_explicit_consent"), true, false},
		{reasons(question("withheld anyhow", "religion"), "religion", "any"), true, false},
		{reasons(question("another reason", "religion"), "religion", "objected"), false, false},
		{reasons(question("permitted, in truth", "email"), "email", "any"), false, false},
		{question("nothing expected", "email"), false, true},
		{modes(question("not asked for", "city"), "email", "plain"), false, true},
		{modes(question("no such mode", "email"), "email", "deny"), false, true},
		{reasons(question("no such reason", "religion"), "religion", "because"), false, true},
		{reasons(question("", "religion"), "religion", "any"), false, true},
		{reasons(modes(question("both", "email"), "email", "any"), "email", "any"), false, true},
	}
	var tests Tests
	for _, test := range table {
		tests.Cases = append(tests.Cases, test.c)
	}
	revision, err := defaultRevision(t).WithTests(tests)
	if err != nil {
		t.Fatal(err)
	}
	report := check(t, revision)
	for _, test := range table {
		i := slices.IndexFunc(report.Cases, func(got CaseResult) bool { return got.Name == test.c.Name })
		got := report.Cases[i]
		faulty := slices.ContainsFunc(report.Problems, func(p Problem) bool { return p.Pointer == pointer("tests", "cases", strconv.Itoa(i)) })
		if got.Pass != test.pass || faulty != test.faulty {
			t.Errorf("%s: %+v, faulty %v", test.c.Name, got, faulty)
		}
		if !test.pass && len(got.Trace) == 0 || len(got.Got.Permitted)+len(got.Got.Withheld) == 0 {
			t.Errorf("%s: a failed case does not tell how it was decided", test.c.Name)
		}
	}
	if report.Pass || len(report.Cases) != len(table) {
		t.Errorf("pass %v, %d cases", report.Pass, len(report.Cases))
	}
	twice := modes(question("twice", "email"), "email", "plain")
	revision, err = defaultRevision(t).WithTests(Tests{Cases: []Case{twice, twice}})
	if err != nil {
		t.Fatal(err)
	}
	if report := check(t, revision); report.Pass || report.Problems[0].Pointer != "/tests/cases/1" {
		t.Errorf("got %v", report.Problems)
	}
}

func TestCaseFilesRoundTrip(t *testing.T) {
	text := `
- name: "a case: with a colon"
  law: GDPR 7
  input: {client: crm-mailer, purpose: marketing.email, attributes: [email, city]}
  subject: {age_band: "13", country: DE}
  consent: {status: ""}
  withheld: {email: policy_error}
`
	cases, err := ParseCases([]byte(text))
	if err != nil || len(cases) != 1 || cases[0].Consent.Status == nil || cases[0].Subject.AgeBand != "13" {
		t.Fatalf("%+v, %v", cases, err)
	}
	written, err := FormatCases(cases)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseCases(written)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := canonicalJSON(cases)
	two, _ := canonicalJSON(again)
	if string(one) != string(two) {
		t.Errorf("%s\n%s\n%s", one, two, written)
	}
	for _, refused := range []string{"a", "{}", "- name: 1", "- nane: x", "- {name: x, input: {attributes: email}}", "- {name: x", "[{1: 2}]"} {
		if _, err := ParseCases([]byte(refused)); privacy.CodeOf(err) != "invalid_cases" {
			t.Errorf("%s: %v", refused, err)
		}
	}
}

func TestProblemsOfModules(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		code ProblemCode
		line int
		says string
	}{
		"syntax":             {"decision := {", ProblemSyntax, 4, "eof"},
		"network":            {"decision := {\"a\": x} if {\n\tx := http.send({\"method\": \"GET\", \"url\": \"http://localhost\"})\n}", ProblemForbidden, 4, "http.send"},
		"clock":              {"decision := time.now_ns()", ProblemForbidden, 3, "time.now_ns"},
		"chance in an array": {"decision := [rand.intn(\"x\", 2)]", ProblemForbidden, 3, "rand.intn"},
		"environment":        {"decision := opa.runtime().env", ProblemForbidden, 3, "opa.runtime"},
		"recursion":          {"decision := other\n\nother := decision", ProblemRecursion, 3, "recursive"},
		"unused variable":    {"decision := 1 if {\n\tunused := 2\n\tinput.purpose\n}", ProblemCompile, 4, "unused"},
		"unsafe variable":    {"decision := 1 if not x > 1", ProblemCompile, 3, "unsafe"},
		"unknown call":       {"decision := permit(input)", ProblemType, 3, "permit"},
		"unknown field":      {"decision := 1 if input.purposes", ProblemType, 3, "purposes"},
		"unknown deep field": {"decision := 1 if input.subject.consent.state == \"granted\"", ProblemType, 3, "state"},
		"type":               {"decision := 1 if count(input.subject.restricted) > 1", ProblemType, 3, "count"},
		"undefined rule":     {"decision := data.consentry.grants.tables", ProblemUndefined, 3, "data.consentry.grants.tables"},
		"undefined package":  {"decision := data.consentry.nothing.here", ProblemUndefined, 3, "data.consentry.nothing"},
		"undefined table":    {"decision := data.purpose", ProblemUndefined, 3, "data.purpose"},
		"no entry point":     {"decisions := 1", ProblemEntryPoint, 0, "consentry.disclosure.decision"},
		"shape":              {`decision := {"permitted": {}, "withheld": {}}`, ProblemShape, 0, "permitted"},
		"no answer":          {`decision := {} if input.purpose == "never"`, ProblemShape, 0, "permitted"},
		"fails closed":       {`decision := {"permitted": {}, "withheld": {a: "policy_error" | some a in input.attributes}}`, ProblemFailsClosed, 0, "policy_error"},
		"metadata":           {"# METADATA\n# scope: nowhere\ndecision := 1", ProblemSyntax, 3, "scope"},
		"expensive":          {"decision := count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i == j + 200000])", ProblemTooExpensive, 0, "time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := defaultRevision(t)
			modules := maps.Clone(base.Modules)
			modules["disclosure.rego"] = "package consentry.disclosure\n\n" + test.body + "\n"
			revision, err := NewRevision(modules, base.Data)
			if err != nil {
				t.Fatal(err)
			}
			report := check(t, revision)
			if report.Pass || len(report.Problems) == 0 {
				t.Fatal("no problem")
			}
			problem := report.Problems[0]
			if problem.Code != test.code || problem.Line != test.line || !strings.Contains(problem.String(), test.says) {
				t.Errorf("got %v", report.Problems)
			}
			if test.line > 0 && (problem.File != "disclosure.rego" || problem.Column < 1) {
				t.Errorf("no place: %+v", problem)
			}
		})
	}
}

func TestProblemsOfAllModulesAreSeenAtOnce(t *testing.T) {
	base := defaultRevision(t)
	modules := maps.Clone(base.Modules)
	modules["a.rego"], modules["b.rego"], modules["c.rego"] = "package", "", "package c\n\nx := {"
	revision, err := NewRevision(modules, base.Data)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, problem := range check(t, revision).Problems {
		files = append(files, problem.File)
	}
	if files = slices.Compact(files); !slices.Equal(files, []string{"a.rego", "b.rego", "c.rego"}) {
		t.Errorf("problems in %v", files)
	}
}

func TestProblemsOfNamesAndSizes(t *testing.T) {
	for name, test := range map[string]struct {
		modules, tests map[string]string
		code           ProblemCode
	}{
		"up and out":      {map[string]string{"../a.rego": "package a"}, nil, ProblemFileName},
		"absolute":        {map[string]string{"/a.rego": "package a"}, nil, ProblemFileName},
		"another ending":  {map[string]string{"a.txt": "package a"}, nil, ProblemFileName},
		"test as module":  {map[string]string{"a_test.rego": "package a"}, nil, ProblemFileName},
		"module as test":  {nil, map[string]string{"a.rego": "package a"}, ProblemFileName},
		"hidden":          {map[string]string{".a.rego": "package a"}, nil, ProblemFileName},
		"no name":         {map[string]string{".rego": "package a"}, nil, ProblemFileName},
		"too many tests":  {nil, manyModules(), ProblemTooLarge},
		"in a folder: ok": {map[string]string{"own/a.rego": "package a\n\nx := 1"}, map[string]string{"own/a_test.rego": "package a_test\n\ntest_x if data.a.x == 1"}, ""},
	} {
		base := defaultRevision(t)
		modules := maps.Clone(base.Modules)
		maps.Copy(modules, test.modules)
		revision, err := NewRevision(modules, base.Data)
		if err == nil {
			revision, err = revision.WithTests(Tests{Modules: test.tests})
		}
		if err != nil {
			t.Fatal(err)
		}
		report := check(t, revision)
		if report.Pass != (test.code == "") || test.code != "" && report.Problems[0].Code != test.code {
			t.Errorf("%s: got %v", name, report)
		}
	}
}

func manyModules() map[string]string {
	modules := map[string]string{}
	for i := range mostModules {
		modules["m"+strings.Repeat("x", i)+"_test.rego"] = "package m"
	}
	return modules
}

func TestRegoTestsOfARevision(t *testing.T) {
	tests := Tests{Modules: map[string]string{
		"own_test.rego": `package own_test

import data.consentry.grants

test_holds if grants.granted("crm-mailer", "marketing.email")

test_fails if grants.granted("crm-mailer", "service.support")

test_each[name] if {
	some name in ["sales-desk", "crm-mailer"]
	grants.granted(name, "marketing.sms")
}

todo_test_later if false

test_patched if grants.granted("x", "y.z") with data.clients as {"x": {"purposes": ["y.*"]}}

test_errs if 1 / input.zero == 1 with input as {"zero": 0}
`}}
	revision, err := defaultRevision(t).WithTests(tests)
	if err != nil {
		t.Fatal(err)
	}
	report := check(t, revision)
	got := map[string]string{}
	for _, test := range report.Tests {
		switch {
		case test.Skipped:
			got[test.Name] = "skipped"
		case test.Pass:
			got[test.Name] = "pass"
		default:
			got[test.Name] = test.Message
		}
		if test.File != "own_test.rego" || test.Line == 0 {
			t.Errorf("no place: %+v", test)
		}
	}
	want := map[string]string{"own_test.test_holds": "pass", "own_test.test_fails": "the test does not hold",
		"own_test.test_each": "the test does not hold for sales-desk", "own_test.todo_test_later": "skipped",
		"own_test.test_patched": "pass", "own_test.test_errs": "the test does not hold"}
	if report.Pass || !maps.Equal(got, want) {
		t.Errorf("got %v %v", got, report.Problems)
	}
	for body, code := range map[string]ProblemCode{
		"test_x if http.send({}).status == 200": ProblemForbidden,
		"test_x if {":                           ProblemSyntax,
		"test_x if nothing(1)":                  ProblemType,
	} {
		revision, err := defaultRevision(t).WithTests(Tests{Modules: map[string]string{"x_test.rego": "package x_test\n\n" + body}})
		if err != nil {
			t.Fatal(err)
		}
		if report := check(t, revision); report.Pass || report.Problems[0].Code != code || report.Problems[0].Line != 3 {
			t.Errorf("%s: %v", body, report.Problems)
		}
	}
}

// A problem of a table says where, and not what: what is there is not repeated.
func TestProblemsOfTables(t *testing.T) {
	type table = map[string]any
	row := func(data table, path ...string) table {
		for _, step := range path {
			data = data[step].(table)
		}
		return data
	}
	const odd = "odd-value"
	for pointer, change := range map[string]func(table){
		"/data/matrix/shoe_size":                       func(d table) { row(d, "matrix")["shoe_size"] = table{} },
		"/data/matrix/email/marketing.fax":             func(d table) { row(d, "matrix", "email")["marketing.fax"] = "plain" },
		"/data/matrix/email/marketing.email":           func(d table) { row(d, "matrix", "email")["marketing.email"] = odd },
		"/data/matrix/email":                           func(d table) { row(d, "matrix")["email"] = odd },
		"/data/purposes/marketing.email/basis/gdpr":    func(d table) { row(d, "purposes", "marketing.email", "basis")["gdpr"] = odd },
		"/data/purposes/marketing.email/marketing":     func(d table) { row(d, "purposes", "marketing.email")["marketing"] = odd },
		"/data/purposes/marketing.email":               func(d table) { delete(row(d, "purposes", "marketing.email"), "title") },
		"/data/purposes/marketing.sms":                 func(d table) { row(d, "purposes", "marketing.sms")[odd] = odd },
		"/data/purposes/a~1b~0c":                       func(d table) { row(d, "purposes")["a/b~c"] = odd },
		"/data/clients/crm-mailer/recipient":           func(d table) { row(d, "clients", "crm-mailer")["recipient"] = odd },
		"/data/clients/crm-mailer/purposes/0":          func(d table) { row(d, "clients", "crm-mailer")["purposes"] = []any{"fax.*"} },
		"/data/regimes/countries/DE":                   func(d table) { row(d, "regimes", "countries")["DE"] = odd },
		"/data/regimes/regions/US/CA":                  func(d table) { row(d, "regimes", "regions", "US")["CA"] = odd },
		"/data/regimes/laws":                           func(d table) { delete(row(d, "regimes", "laws"), "default") },
		"/data/regimes/laws/narnia":                    func(d table) { row(d, "regimes", "laws")["narnia"] = row(d, "regimes", "laws", "gdpr") },
		"/data/regimes/laws/gdpr":                      func(d table) { delete(row(d, "regimes", "laws", "gdpr"), "sale") },
		"/data/regimes/laws/gdpr/third_party/needs":    func(d table) { row(d, "regimes", "laws", "gdpr", "third_party")["needs"] = odd },
		"/data/regimes/laws/gdpr/minors/marketing_ban": func(d table) { row(d, "regimes", "laws", "gdpr", "minors")["marketing_ban"] = odd },
		"/data/operations/consents-record/roles/0":     func(d table) { row(d, "operations", "consents-record")["roles"] = []any{odd} },
		"/data/operations/consents-record/roles":       func(d table) { row(d, "operations", "consents-record")["roles"] = odd },
		"/data/operations/consents-record/own":         func(d table) { row(d, "operations", "consents-record")["own"] = odd },
		"/data/attributes/email":                       func(d table) { row(d, "attributes", "email")["classification"] = odd },
		"/data/attributes/email/derived_from":          func(d table) { row(d, "attributes", "email")["derived_from"] = odd },
		"/data/attributes/email/derived_from/0":        func(d table) { row(d, "attributes", "email")["derived_from"] = []any{odd} },
		"/data/signals/gpc/0":                          func(d table) { row(d, "signals")["gpc"] = []any{odd} },
		"/data/signals/tcf/regimes/0":                  func(d table) { row(d, "signals", "tcf")["regimes"] = []any{odd} },
		"/data/signals/tcf/purposes/marketing.fax": func(d table) {
			row(d, "signals", "tcf", "purposes")["marketing.fax"] = table{"consents": []any{1}, "special_features": []any{}}
		},
		"/data/purposes": func(d table) { delete(d, "purposes") },
		"/data/purposes/marketing.email/basis/lgpd": func(d table) {
			row(d, "purposes", "marketing.email", "basis")["lgpd"] = "consent"
			delete(row(d, "regimes", "laws"), "lgpd")
		},
		"/data/purposes/marketing.email/minimum_notice_version": func(d table) { row(d, "purposes", "marketing.email")["minimum_notice_version"] = -1 },
	} {
		t.Run(strings.TrimPrefix(pointer, "/data/"), func(t *testing.T) {
			base := defaultRevision(t)
			data := tablesOf(t, base)
			change(data)
			revision, err := NewRevision(base.Modules, data)
			if err != nil {
				t.Fatal(err)
			}
			problems := tableProblems(revision.Data)
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Pointer == pointer && p.Code == ProblemTable }) {
				t.Errorf("got %v", problems)
			}
			for _, problem := range problems {
				if strings.Contains(problem.Message, odd) {
					t.Errorf("the message repeats what is there: %s", problem)
				}
			}
		})
	}
	if problems := tableProblems(defaultRevision(t).Data); len(problems) > 0 {
		t.Errorf("the built-in tables: %v", problems)
	}
}

func TestProblemsOfTablesAreInTheReport(t *testing.T) {
	base := defaultRevision(t)
	data := tablesOf(t, base)
	data["matrix"].(map[string]any)["shoe_size"] = map[string]any{}
	revision, err := NewRevision(base.Modules, data)
	if err != nil {
		t.Fatal(err)
	}
	if report := check(t, revision); report.Pass || len(report.Problems) != 1 || report.Problems[0].Pointer != "/data/matrix/shoe_size" {
		t.Errorf("got %v", report)
	}
}

// The heap is looked at while something is evaluated, and the evaluation is ended when it has grown too much.
func TestMemoryIsBounded(t *testing.T) {
	ctx, stop := bound(t.Context(), time.Minute, 1<<20)
	defer stop()
	hoard := make([]byte, 64<<20)
	<-ctx.Done()
	if !tooMuch(ctx, ctx.Err()) || !errors.Is(context.Cause(ctx), errTooMuchMemory) || len(hoard) == 0 {
		t.Errorf("ended by %v", context.Cause(ctx))
	}
	runtime.KeepAlive(hoard)
	idle, stop := bound(t.Context(), time.Minute, 1<<40)
	if stop(); tooMuch(idle, idle.Err()) {
		t.Errorf("ended by %v", context.Cause(idle))
	}
}

func TestCheckEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, defaultRevision(t)); privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("got %v", err)
	}
}
