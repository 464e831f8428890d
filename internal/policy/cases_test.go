package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/consentry/consentry/internal/privacy"
)

func TestLawCases(t *testing.T) {
	engine, revision := setup(t)
	other, _ := setup(t) // has not seen the inputs, as an auditor's would not
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	count, reasons := 0, map[privacy.Reason]bool{}
	for _, file := range files {
		if filepath.Base(file) == "overlay.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := ParseCases(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			count++
			for _, reason := range c.Withheld {
				reasons[reason] = true
			}
			t.Run(filepath.Base(file)+"/"+c.Name, func(t *testing.T) { runCase(t, engine, other, revision, c) })
		}
	}
	if count < 60 {
		t.Errorf("%d cases, want at least 60", count)
	}
	t.Logf("%d cases, %d of %d reasons", count, len(reasons), len(privacy.Reasons()))
	// These are given by the flows, which know the subject and the values.
	for _, elsewhere := range []privacy.Reason{privacy.ReasonUnknownSubject, privacy.ReasonErased, privacy.ReasonNoValue} {
		reasons[elsewhere] = true
	}
	for _, reason := range privacy.Reasons() {
		if !reasons[reason] {
			t.Errorf("no case gives %s", reason)
		}
	}
}

func runCase(t *testing.T, engine, other *Engine, revision Revision, c Case) {
	if c.Law == "" {
		t.Error("a case names its law")
	}
	decision, err := engine.Decide(t.Context(), revision.ID, c.DecisionInput())
	if err != nil {
		t.Fatal(err)
	}
	if !equalMaps(decision.Outcome.Permitted, c.Permitted) || !equalMaps(decision.Outcome.Withheld, c.Withheld) {
		_, trace, _ := engine.Explain(t.Context(), revision.ID, c.DecisionInput())
		t.Errorf("%s:\n got %v\nwant %v %v\n%s", c.Law, decision.Outcome, c.Permitted, c.Withheld, strings.Join(trace, "\n"))
	}
	replayed, err := ParseInput(decision.Input)
	if err != nil {
		t.Fatal(err)
	}
	again, err := other.Decide(t.Context(), revision.ID, replayed)
	if err != nil || !reflect.DeepEqual(again.Outcome, decision.Outcome) || !bytes.Equal(again.Input, decision.Input) {
		t.Errorf("replay gives %v, %v", again.Outcome, err)
	}
}

func equalMaps[K comparable, V comparable](got, want map[K]V) bool {
	return len(got) == len(want) && maps.Equal(got, want)
}

// setup gives an engine with the built-in policy and the cases' overlay on it.
func setup(t testing.TB) (*Engine, Revision) {
	t.Helper()
	revision := overlaid(t)
	engine := NewEngine()
	if err := engine.Load(context.Background(), revision); err != nil {
		t.Fatal(err)
	}
	return engine, revision
}

func overlaid(t testing.TB) Revision {
	t.Helper()
	var overlay struct {
		Attributes map[string]any    `yaml:"attributes"`
		Purposes   map[string]any    `yaml:"purposes"`
		Clients    map[string]any    `yaml:"clients"`
		Modes      map[string]string `yaml:"modes"`
	}
	readYAML(t, "testdata/overlay.yaml", &overlay)
	base := defaultRevision(t)
	data := tablesOf(t, base)
	maps.Copy(data["attributes"].(map[string]any), overlay.Attributes)
	maps.Copy(data["purposes"].(map[string]any), overlay.Purposes)
	maps.Copy(data["clients"].(map[string]any), overlay.Clients)
	matrix := data["matrix"].(map[string]any)
	for attribute, mode := range overlay.Modes {
		row, ok := matrix[attribute].(map[string]any)
		if !ok {
			row = map[string]any{}
			matrix[attribute] = row
		}
		for purpose := range overlay.Purposes {
			row[purpose] = mode
		}
	}
	revision, err := NewRevision(base.Modules, data)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// defaultRevision is the built-in policy over a catalogue with the names of its matrix, without its tests.
func defaultRevision(t testing.TB) Revision {
	t.Helper()
	data, err := defaultData()
	if err != nil {
		t.Fatal(err)
	}
	var matrix map[string]map[string]string
	if err := json.Unmarshal(data["matrix"].(json.RawMessage), &matrix); err != nil {
		t.Fatal(err)
	}
	attributes := map[string]any{}
	for name := range matrix {
		class := privacy.ClassPersonal
		if slices.Contains([]string{"government_id", "health_notes", "religion"}, name) {
			class = privacy.ClassSensitive
		}
		attributes[name] = map[string]any{"classification": class}
	}
	revision, err := Default(attributes)
	if err == nil {
		revision, err = revision.WithTests(Tests{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// tablesOf gives a copy of a revision's data that a test may change.
func tablesOf(t testing.TB, revision Revision) map[string]any {
	t.Helper()
	content, err := json.Marshal(revision.Data)
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := json.Unmarshal(content, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func readYAML(t testing.TB, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// lawCases are the cases of all law tables.
func lawCases(t testing.TB) []Case {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []Case
	for _, file := range files {
		if filepath.Base(file) == "overlay.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := ParseCases(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cases...)
	}
	return all
}
