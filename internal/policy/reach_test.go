package policy

import (
	"encoding/json"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// changed gives the built-in policy with a change of its tables.
func changed(t testing.TB, change func(data map[string]any)) Revision {
	t.Helper()
	revision := defaultRevision(t)
	content, err := revision.Content()
	if err != nil {
		t.Fatal(err)
	}
	if revision, err = ParseRevision(content); err != nil {
		t.Fatal(err)
	}
	change(revision.Data)
	if revision, err = NewRevision(revision.Modules, revision.Data); err != nil {
		t.Fatal(err)
	}
	return revision
}

func at(document any, path ...string) map[string]any {
	for _, name := range path {
		document = document.(map[string]any)[name]
	}
	return document.(map[string]any)
}

func TestReach(t *testing.T) {
	t.Parallel()
	before := changed(t, func(map[string]any) {})
	type question struct {
		client  privacy.ClientID
		purpose privacy.PurposeName
	}
	mailer, desk, ads, sms := question{"crm-mailer", "marketing.email"}, question{"service-desk", "service.support"}, question{"ads-desk", "ads.personalised"}, question{"crm-mailer", "marketing.sms"}
	all := []question{mailer, desk, ads, sms}
	for name, c := range map[string]struct {
		change func(data map[string]any)
		want   []question
	}{
		"nothing":                               {func(map[string]any) {}, nil},
		"a cell":                                {func(d map[string]any) { at(d, "matrix", "city")["marketing.email"] = "plain" }, []question{mailer}},
		"a cell removed":                        {func(d map[string]any) { delete(at(d, "matrix", "city"), "marketing.email") }, []question{mailer}},
		"a row of the matrix":                   {func(d map[string]any) { delete(at(d, "matrix"), "city") }, []question{mailer, desk, ads, sms}},
		"a purpose's flag":                      {func(d map[string]any) { at(d, "purposes", "ads.personalised")["profiling"] = false }, []question{ads}},
		"a grant":                               {func(d map[string]any) { at(d, "clients", "crm-mailer")["purposes"] = []any{"marketing.sms"} }, []question{mailer, sms}},
		"a law":                                 {func(d map[string]any) { at(d, "regimes", "laws", "gdpr")["limit_sensitive"] = true }, all},
		"countries":                             {func(d map[string]any) { at(d, "regimes", "countries")["FR"] = "pipl" }, nil}, // the engine reads them, not the rules
		"who may call":                          {func(d map[string]any) { at(d, "operations")["x"] = map[string]any{"roles": []any{"officer"}} }, nil},
		"a classification":                      {func(d map[string]any) { at(d, "attributes", "city")["classification"] = "sensitive" }, all},
		"another table":                         {func(d map[string]any) { d["more"] = json.Number("1") }, nil},
		"a table of a name that the rules have": {func(d map[string]any) { d["consentry"] = map[string]any{"x": true} }, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reach, err := ReachOf(before, changed(t, c.change))
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range all {
				want := false
				for _, w := range c.want {
					want = want || w == q
				}
				if got := reach.Touches(q.client, q.purpose); got != want {
					t.Errorf("%s for %s: reached %t, want %t", q.client, q.purpose, got, want)
				}
			}
		})
	}
}

// Rules that reach for tables in ways that cannot be followed are reached by everything.
func TestReachOfOtherRules(t *testing.T) {
	t.Parallel()
	const decision = "package consentry.disclosure\n\nimport data.consentry.other\n\ndecision := {\"permitted\": {}, \"withheld\": {}} if other.asked\n"
	for name, source := range map[string]string{
		"through a variable": "asked if {\n\ttable := \"matrix\"\n\tdata[table].city\n}\n",
		"by an import":       "asked if cells.city\n",
		"with other data":    "asked if {\n\tpart with data.matrix as {}\n}\n\npart if data.purposes[input.purpose]\n",
		"by a function":      "asked if cell(\"x\")\n\ncell(purpose) if data.matrix.city[purpose]\n",
		"by an else":         "asked if {\n\tinput.never\n} else := true if {\n\tdata.matrix.city[\"marketing.email\"]\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := defaultRevision(t)
			modules := map[string]string{"disclosure.rego": decision, "other.rego": "package consentry.other\n\nimport data.matrix as cells\n\n" + source}
			if name != "by an import" {
				modules["other.rego"] = "package consentry.other\n\n" + source
			}
			for _, file := range []string{"authz.rego", "grants.rego"} {
				modules[file] = base.Modules[file]
			}
			before, err := NewRevision(modules, base.Data)
			if err != nil {
				t.Fatal(err)
			}
			content, err := before.Content()
			if err != nil {
				t.Fatal(err)
			}
			after, err := ParseRevision(content)
			if err != nil {
				t.Fatal(err)
			}
			at(after.Data, "matrix", "city")["marketing.email"] = "tokenise"
			if after, err = NewRevision(after.Modules, after.Data); err != nil {
				t.Fatal(err)
			}
			reach, err := ReachOf(before, after)
			if err != nil {
				t.Fatal(err)
			}
			if !reach.Touches("crm-mailer", "marketing.email") {
				t.Error("not reached")
			}
		})
	}
}
