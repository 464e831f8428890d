package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

const schemaBase = "https://consentry.dev/schemas/"

// tableProblems holds the tables to their schemas, row by row, and to each other. It says where and what is
// expected there, and never what stands there.
func tableProblems(data map[string]any) []Problem {
	check := tableCheck{data: data}
	for _, name := range []string{"purposes", "clients", "matrix", "regimes", "operations", "attributes"} {
		if _, ok := data[name].(map[string]any); !ok {
			check.fault("there has to be a table of "+name, name)
		}
	}
	if len(check.problems) > 0 {
		return check.problems
	}
	check.rows("purpose.schema.json", "purposes")
	check.rows("client.schema.json", "clients")
	check.rows("law.schema.json", "regimes", "laws")
	check.document("signals.schema.json", "signals")
	check.document("deadlines.schema.json", "deadlines")
	check.signals()
	check.attributes()
	check.bases()
	check.grants()
	check.matrix()
	check.regimes()
	check.operations()
	problems := inOrder(check.problems)
	if len(problems) > problemsOfOneKind {
		problems = append(problems[:problemsOfOneKind], Problem{Code: ProblemTable, Message: "there are more problems in the tables; correct these first"})
	}
	return problems
}

type tableCheck struct {
	data     map[string]any
	problems []Problem
}

func (c *tableCheck) fault(message string, path ...string) {
	c.problems = append(c.problems, Problem{Code: ProblemTable, Pointer: pointer(append([]string{"data"}, path...)...), Message: message})
}

// object gives the object at a path, empty when there is none.
func (c *tableCheck) object(path ...string) map[string]any {
	at := c.data
	for _, step := range path {
		at, _ = at[step].(map[string]any)
	}
	return at
}

func (c *tableCheck) has(table, row string) bool {
	_, ok := c.object(table)[row]
	return ok
}

// rows holds each row of a table to a schema.
func (c *tableCheck) rows(schema string, path ...string) {
	compiled, err := compileSchema(schema)
	if err != nil {
		c.fault("the schema of the table cannot be read", path...)
		return
	}
	for name, row := range c.object(path...) {
		content, err := canonicalJSON(row)
		if err != nil {
			continue
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			continue
		}
		if failed, ok := compiled.Validate(document).(*jsonschema.ValidationError); ok { //nolint:errorlint // the library gives it bare
			c.schemaFaults(failed, append(slices.Clone(path), name))
		}
	}
}

func compileSchema(name string) (*jsonschema.Schema, error) {
	text, err := schemas.FS.ReadFile(name)
	if err != nil {
		return nil, err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaBase+name, document); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaBase + name)
}

// schemaFaults turns what does not fit a schema into problems.
func (c *tableCheck) schemaFaults(failed *jsonschema.ValidationError, path []string) {
	for _, fault := range schemaFaults(failed) {
		c.fault(fault.Message, append(slices.Clone(path), fault.Path...)...)
	}
}

// expectation says what a schema expects, in words that hold nothing of what it found.
func expectation(failed jsonschema.ErrorKind) string {
	switch k := failed.(type) {
	case *kind.Required:
		return "needs " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has a field that is not known"
	case *kind.PropertyNames:
		return "has a key that is not known"
	case *kind.Type:
		return "has to be of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		text, err := json.Marshal(k.Want)
		if err != nil || len(text) > problemMessageLength {
			return "is not one of the known words"
		}
		return "has to be one of " + string(text)
	case *kind.Pattern:
		return "has to match " + k.Want
	case *kind.Minimum:
		return "is smaller than it may be"
	case *kind.MaxLength, *kind.MinLength:
		return "is too long or too short"
	case *kind.MinItems, *kind.MaxItems, *kind.MinProperties, *kind.MaxProperties:
		return "has too few or too many members"
	case *kind.FalseSchema:
		return "does not belong here"
	case *kind.UniqueItems:
		return "holds something twice"
	default:
		return "is not as its schema says"
	}
}

func (c *tableCheck) attributes() {
	classes := []any{string(privacy.ClassPublic), string(privacy.ClassInternal), string(privacy.ClassPersonal), string(privacy.ClassSensitive)}
	for name, row := range c.object("attributes") {
		definition, ok := row.(map[string]any)
		if !ok || !slices.Contains(classes, definition["classification"]) {
			c.fault("has to have the classification public, internal, personal or sensitive", "attributes", name)
			continue
		}
		sources, ok := definition["derived_from"].([]any)
		if definition["derived_from"] != nil && !ok {
			c.fault("has to be a list of attributes", "attributes", name, "derived_from")
		}
		for i, source := range sources {
			if source, _ := source.(string); !c.has("attributes", source) {
				c.fault("is no known attribute", "attributes", name, "derived_from", fmt.Sprint(i))
			}
		}
	}
}

// bases holds the bases of purposes to the laws of the same revision.
func (c *tableCheck) bases() {
	for name := range c.object("purposes") {
		for regime := range c.object("purposes", name, "basis") {
			if _, known := c.object("regimes", "laws")[regime]; !known {
				c.fault("is a basis under a law that the revision does not have", "purposes", name, "basis", regime)
			}
		}
	}
}

func (c *tableCheck) grants() {
	purposes := slices.Collect(maps.Keys(c.object("purposes")))
	for name, row := range c.object("clients") {
		client, _ := row.(map[string]any)
		patterns, _ := client["purposes"].([]any)
		for i, pattern := range patterns {
			pattern, _ := pattern.(string)
			if !slices.ContainsFunc(purposes, func(purpose string) bool { return covers(pattern, purpose) }) {
				c.fault("names no known purpose", "clients", name, "purposes", fmt.Sprint(i))
			}
		}
	}
}

// covers is how grants.rego reads a grant: a purpose by name, or a family of them.
func covers(pattern, purpose string) bool {
	family, isFamily := strings.CutSuffix(pattern, "*")
	return pattern == purpose || isFamily && strings.HasSuffix(family, ".") && strings.HasPrefix(purpose, family)
}

func (c *tableCheck) matrix() {
	modes := []any{string(privacy.ModePlain), string(privacy.ModeGeneralise), string(privacy.ModeMask), string(privacy.ModeTokenise),
		string(privacy.ModeAggregate), string(privacy.ModeDeny)}
	for attribute, row := range c.object("matrix") {
		if !c.has("attributes", attribute) {
			c.fault("is no known attribute", "matrix", attribute)
		}
		cells, ok := row.(map[string]any)
		if !ok {
			c.fault("has to be of type object", "matrix", attribute)
		}
		for purpose, mode := range cells {
			if !c.has("purposes", purpose) {
				c.fault("is no known purpose", "matrix", attribute, purpose)
			}
			if !slices.Contains(modes, mode) {
				c.fault("has to be one of plain, generalise, mask, tokenise, aggregate, deny", "matrix", attribute, purpose)
			}
		}
	}
}

func (c *tableCheck) regimes() {
	laws := c.object("regimes", "laws")
	if _, ok := laws[string(privacy.RegimeDefault)]; !ok {
		c.fault("needs a row default, the strictest, for everybody whose law is not known", "regimes", "laws")
	}
	for name := range laws {
		if !slices.Contains(privacy.Regimes(), privacy.Regime(name)) {
			c.fault("is no known regime", "regimes", "laws", name)
		}
	}
	c.leads(laws, "regimes", "countries")
	for country := range c.object("regimes", "regions") {
		c.leads(laws, "regimes", "regions", country)
	}
}

// leads checks that every place in a table leads to a law.
func (c *tableCheck) leads(laws map[string]any, path ...string) {
	for place, law := range c.object(path...) {
		law, _ := law.(string)
		if _, known := laws[law]; !known {
			c.fault("leads to a law that the revision does not have", append(slices.Clone(path), place)...)
		}
	}
}

func (c *tableCheck) operations() {
	for name, row := range c.object("operations") {
		operation, ok := row.(map[string]any)
		if !ok {
			c.fault("has to be of type object", "operations", name)
			continue
		}
		roles, ok := operation["roles"].([]any)
		if !ok {
			c.fault("has to be a list of roles", "operations", name, "roles")
		}
		for i, role := range roles {
			if role, _ := role.(string); !slices.Contains(privacy.Roles(), privacy.Role(role)) {
				c.fault("is no known role", "operations", name, "roles", fmt.Sprint(i))
			}
		}
		if _, isBool := operation["own"].(bool); operation["own"] != nil && !isBool {
			c.fault("has to be of type boolean", "operations", name, "own")
		}
	}
}

// caseProblems finds cases that are no tests.
func caseProblems(cases []Case) []Problem {
	var problems []Problem
	names := map[string]bool{}
	for i, c := range cases {
		faults := c.faults()
		if names[c.Name] {
			faults = append(faults, "another case has the same name")
		}
		names[c.Name] = true
		for _, fault := range faults {
			problems = append(problems, Problem{Code: ProblemCase, Pointer: pointer("tests", "cases", fmt.Sprint(i)), Message: fault})
		}
	}
	return problems
}
