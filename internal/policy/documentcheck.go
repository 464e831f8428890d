package policy

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/consentry/consentry/internal/privacy"
)

// Fault is a place in a document that does not fit its schema, and what is expected there. The path has the names that stand in the
// document; the message holds nothing of it.
type Fault struct {
	Path    []string
	Message string
}

// Conform holds a JSON document to one of the project's schemas.
func Conform(schema string, content []byte) ([]Fault, error) {
	compiled, err := compileSchema(schema)
	if err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, privacy.Invalid("malformed_json", "the document is no JSON")
	}
	if failed, ok := compiled.Validate(document).(*jsonschema.ValidationError); ok { //nolint:errorlint // the library gives it bare
		return schemaFaults(failed), nil
	}
	return nil, nil
}

// schemaFaults gives the leaves of a validation error.
func schemaFaults(failed *jsonschema.ValidationError) []Fault {
	if len(failed.Causes) == 0 {
		return []Fault{{Path: failed.InstanceLocation, Message: expectation(failed.ErrorKind)}}
	}
	var faults []Fault
	for _, cause := range failed.Causes {
		faults = append(faults, schemaFaults(cause)...)
	}
	return faults
}

// document holds a table that is one document, and that a revision may do without, to its schema.
func (c *tableCheck) document(schema, name string) {
	table, ok := c.data[name]
	if !ok {
		return
	}
	compiled, err := compileSchema(schema)
	if err != nil {
		c.fault("the schema of the table cannot be read", name)
		return
	}
	content, err := canonicalJSON(table)
	if err != nil {
		return
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return
	}
	if failed, ok := compiled.Validate(document).(*jsonschema.ValidationError); ok { //nolint:errorlint // the library gives it bare
		c.schemaFaults(failed, []string{name})
	}
}

// signals holds what signals mean to the purposes and laws of the same revision.
func (c *tableCheck) signals() {
	for purpose := range c.object("signals", "tcf", "purposes") {
		if !c.has("purposes", purpose) {
			c.fault("is no known purpose", "signals", "tcf", "purposes", purpose)
		}
	}
	regimes, _ := c.object("signals", "tcf")["regimes"].([]any)
	for i, regime := range regimes {
		regime, _ := regime.(string)
		if _, known := c.object("regimes", "laws")[regime]; !known {
			c.fault("is a law that the revision does not have", "signals", "tcf", "regimes", fmt.Sprint(i))
		}
	}
}
