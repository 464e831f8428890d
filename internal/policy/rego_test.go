package policy

import (
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/policies"
)

func TestRegoTests(t *testing.T) {
	modules := map[string]*ast.Module{}
	for name, source := range regoSources(t) {
		module, err := ast.ParseModuleWithOpts(name, source, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = module
	}
	data := tablesOf(t, defaultRevision(t))
	results, err := tester.NewRunner().SetStore(inmem.NewFromObject(data)).SetModules(modules).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for result := range results {
		count++
		if !result.Pass() {
			t.Errorf("%s", result)
		}
	}
	if count < 15 {
		t.Errorf("%d tests found", count)
	}
}

func TestRegoIsFormatted(t *testing.T) {
	for name, source := range regoSources(t) {
		formatted, err := format.Source(name, []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		if string(formatted) != source {
			t.Errorf("%s is not formatted as opa fmt would", name)
		}
	}
}

func regoSources(t testing.TB) map[string]string {
	t.Helper()
	names, err := fs.Glob(policies.FS, "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, name := range names {
		source, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = string(source)
	}
	return sources
}

// The order of reasons is said twice, in Rego and in Go; it must be the same.
func TestRankingFollowsReasons(t *testing.T) {
	module, err := ast.ParseModule("disclosure.rego", regoSources(t)["disclosure.rego"])
	if err != nil {
		t.Fatal(err)
	}
	var ranking []privacy.Reason
	for _, rule := range module.Rules {
		if rule.Head.Name == "ranking" {
			if err := json.Unmarshal([]byte(rule.Head.Value.String()), &ranking); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := slices.DeleteFunc(privacy.Reasons(), func(reason privacy.Reason) bool {
		// What the policy cannot know: the flows give these.
		return reason == privacy.ReasonUnknownSubject || reason == privacy.ReasonErased || reason == privacy.ReasonNoValue
	})
	if !slices.Equal(ranking, want) {
		t.Errorf("ranking\n%v, want\n%v", ranking, want)
	}
}

func TestTablesAgree(t *testing.T) {
	var data struct {
		Purposes   map[privacy.PurposeName]Purpose                                `json:"purposes"`
		Clients    map[privacy.ClientID]map[string]any                            `json:"clients"`
		Regimes    regimeTable                                                    `json:"regimes"`
		Matrix     map[privacy.AttributeName]map[privacy.PurposeName]privacy.Mode `json:"matrix"`
		Operations map[Operation]struct {
			Roles []privacy.Role `json:"roles"`
		} `json:"operations"`
	}
	content, err := json.Marshal(defaultRevision(t).Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &data); err != nil {
		t.Fatal(err)
	}
	for _, regime := range privacy.Regimes() {
		if _, ok := data.Regimes.Laws[regime]; !ok {
			t.Errorf("no row for the law %s", regime)
		}
	}
	for name, purpose := range data.Purposes {
		if purpose.Title["en"] == "" || purpose.Title["zh"] == "" {
			t.Errorf("%s has no title in English or Chinese", name)
		}
		for regime := range purpose.Basis {
			if _, ok := data.Regimes.Laws[regime]; !ok {
				t.Errorf("%s has a basis under %s, which is no law here", name, regime)
			}
		}
	}
	modes := []privacy.Mode{privacy.ModePlain, privacy.ModeGeneralise, privacy.ModeMask, privacy.ModeTokenise, privacy.ModeAggregate, privacy.ModeDeny}
	for attribute, row := range data.Matrix {
		for purpose, mode := range row {
			if _, ok := data.Purposes[purpose]; !ok || !slices.Contains(modes, mode) {
				t.Errorf("matrix: %s for %s is %s", attribute, purpose, mode)
			}
		}
	}
	for operation, row := range data.Operations {
		for _, role := range row.Roles {
			if !slices.Contains(privacy.Roles(), role) {
				t.Errorf("%s is for %s, which is no role", operation, role)
			}
		}
	}
	for client, row := range data.Clients {
		if row["recipient"] == "" || row["country"] == "" {
			t.Errorf("%s has no recipient or country", client)
		}
	}
}

// Purposes map to terms that the Data Privacy Vocabulary has.
func TestPurposesAreVocabulary(t *testing.T) {
	file, err := os.Open(filepath.Join(sharedData(t), "dpv", "purposes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	terms := map[string]bool{}
	for _, row := range rows {
		terms[row[2]] = true
	}
	engine, revision := setup(t)
	for name, purpose := range engine.Purposes(revision.ID) {
		if purpose.DPV != "" && !terms[purpose.DPV] {
			t.Errorf("%s maps to %s, which is no term", name, purpose.DPV)
		}
	}
}

// sharedData finds shared/data, which is beside the checkout or where CONSENTRY_SHARED says.
func sharedData(t *testing.T) string {
	t.Helper()
	if root := os.Getenv("CONSENTRY_SHARED"); root != "" {
		return filepath.Join(root, "data")
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if data := filepath.Join(filepath.Dir(folder), "shared", "data"); isFolder(data) {
			return data
		}
	}
	t.Skip("shared/data is not here; set CONSENTRY_SHARED")
	return ""
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
