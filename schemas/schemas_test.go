package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

const base = "https://consentry.dev/schemas/"

// compiler knows all schemas of the folder.
func compiler(t *testing.T) (*jsonschema.Compiler, []string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	names, err := fs.Glob(schemas.FS, "*.schema.json")
	if err != nil || len(names) == 0 {
		t.Fatal("no schemas", err)
	}
	for _, name := range names {
		text, err := schemas.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(base+name, document(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	return c, names
}

func document(t *testing.T, text []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c, _ := compiler(t)
	s, err := c.Compile(base + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemasCompileAndExplainThemselves(t *testing.T) {
	c, names := compiler(t)
	for _, name := range names {
		if _, err := c.Compile(base + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text, err := schemas.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, _ := document(t, text).(map[string]any)
		if doc["$id"] != base+name || doc["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $id %v, $schema %v", name, doc["$id"], doc["$schema"])
		}
		if doc["title"] == nil || doc["description"] == nil {
			t.Errorf("%s has no title or description", name)
		}
	}
}

// The tables of the default policy are written by hand: each row follows its schema.
func TestPolicyTablesFollowTheirSchemas(t *testing.T) {
	for table, name := range map[string]string{"purposes.json": "purpose.schema.json", "clients.json": "client.schema.json"} {
		text, err := os.ReadFile(filepath.Join("..", "policies", "data", table))
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := document(t, text).(map[string]any)
		if len(rows) == 0 {
			t.Errorf("%s is empty", table)
		}
		for key, row := range rows {
			if err := schema(t, name).Validate(row); err != nil {
				t.Errorf("%s: %s: %v", table, key, err)
			}
		}
	}
}

func TestLawsFollowTheirSchema(t *testing.T) {
	text, err := os.ReadFile("../policies/data/regimes.json")
	if err != nil {
		t.Fatal(err)
	}
	regimes, _ := document(t, text).(map[string]any)
	laws, _ := regimes["laws"].(map[string]any)
	if len(laws) != len(privacy.Regimes()) {
		t.Errorf("%d laws", len(laws))
	}
	for name, row := range laws {
		if err := schema(t, "law.schema.json").Validate(row); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Those cases of the law that ask sound questions are cases as officers write them.
func TestCasesFollowTheirSchema(t *testing.T) {
	text, err := os.ReadFile("../internal/policy/testdata/gdpr.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []any
	if err := yaml.Unmarshal(text, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		asJSON, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, "policy-case.schema.json").Validate(document(t, asJSON)); err != nil {
			t.Errorf("%s: %v", asJSON, err)
		}
	}
	for _, refused := range []string{`{}`, `{"name": "x", "input": {"client": "a", "purpose": "b", "attributes": []}}`,
		`{"name": "x", "input": {"client": "a", "purpose": "b", "attributes": ["c"]}, "permitted": {"c": "deny"}}`} {
		if schema(t, "policy-case.schema.json").Validate(document(t, []byte(refused))) == nil {
			t.Errorf("%s is taken for a case", refused)
		}
	}
}

// Tables that are one document follow theirs.
func TestPolicyDocumentsFollowTheirSchemas(t *testing.T) {
	for table, name := range map[string]string{"signals.json": "signals.schema.json", "deadlines.json": "deadlines.schema.json"} {
		text, err := os.ReadFile(filepath.Join("..", "policies", "data", table))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, name).Validate(document(t, text)); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func TestMappingsFollowTheirSchema(t *testing.T) {
	files, err := filepath.Glob("../internal/mapping/testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no mappings", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema(t, "mapping.schema.json").Validate(document(t, asJSON)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The decision's schemas and the types of privacy say the same.
func TestDecisionSchemasMatchTheTypes(t *testing.T) {
	input, err := json.Marshal(privacy.DecisionInput{
		Caller: privacy.InputCaller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleConsumer}}, Purpose: "marketing.email",
		Attributes: []privacy.AttributeName{"city", "email"},
		Subject: privacy.SubjectState{Regime: privacy.RegimeGDPR, Country: "DE", AgeBand: privacy.AgeAdult,
			Consent: privacy.ConsentState{Status: privacy.ConsentGranted, SeparateFor: []privacy.ConsentScope{privacy.ScopeSensitive}, By: privacy.BySelf}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t, "decision-input.schema.json").Validate(document(t, input)); err != nil {
		t.Error(err)
	}
	outcomes := schema(t, "decision-outcome.schema.json")
	for _, reason := range append(privacy.Reasons(), "because") {
		outcome, err := json.Marshal(privacy.Outcome{
			Permitted: map[privacy.AttributeName]privacy.Mode{"email": privacy.ModePlain},
			Withheld:  map[privacy.AttributeName]privacy.Reason{"income": reason},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := outcomes.Validate(document(t, outcome)); (err == nil) != reason.Valid() {
			t.Errorf("reason %s: %v", reason, err)
		}
	}
	for _, regime := range append(privacy.Regimes(), "narnia") {
		doc := document(t, []byte(strings.Replace(string(input), `"gdpr"`, `"`+string(regime)+`"`, 1)))
		if err := schema(t, "decision-input.schema.json").Validate(doc); (err == nil) != (regime != "narnia") {
			t.Errorf("regime %s: %v", regime, err)
		}
	}
}
