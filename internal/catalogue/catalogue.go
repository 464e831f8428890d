package catalogue

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

const (
	catalogueFile   = "catalogue.json"
	catalogueSchema = "https://consentry.dev/schemas/catalogue.schema.json"
)

// Catalogue is the set of attributes and identifiers a deployment knows. It is immutable
// after loading and safe for concurrent use.
type Catalogue struct {
	attributes   []*Attribute // in the order of their numbers
	byName       map[privacy.AttributeName]*Attribute
	byID         map[privacy.AttributeID]*Attribute
	identifiers  []*Identifier
	identByType  map[privacy.IdentifierType]*Identifier
	identByID    map[privacy.AttributeID]*Identifier
	facets       []*Facet
	facetsID     string
	factSources  factSources
	countryCodes countries
}

// Load reads the starter catalogue that is compiled in.
func Load() (*Catalogue, error) {
	data, err := schemas.FS.ReadFile(catalogueFile)
	if err != nil {
		return nil, privacy.Internal(err, "read the starter catalogue")
	}
	return Parse(data)
}

// Parse reads a catalogue and checks it: first against its JSON Schema, then for what a
// schema cannot say (numbers and names used once, rules that fit the type, references
// that lead somewhere). The error is a KindInvalid [privacy.Error] that says what is
// wrong; a catalogue holds no personal data.
func Parse(data []byte) (*Catalogue, error) {
	if err := checkSchema(data); err != nil {
		return nil, &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_catalogue",
			Detail: "the catalogue does not follow its schema", Cause: err}
	}
	var file struct {
		Schema      string        `json:"$schema"`
		Attributes  []*Attribute  `json:"attributes"`
		Facets      []*Facet      `json:"facets"`
		Identifiers []*Identifier `json:"identifiers"`
		State       factSources   `json:"state"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, invalidCatalogue("%w", err)
	}
	c := &Catalogue{
		byName:       map[privacy.AttributeName]*Attribute{},
		byID:         map[privacy.AttributeID]*Attribute{},
		identByType:  map[privacy.IdentifierType]*Identifier{},
		identByID:    map[privacy.AttributeID]*Identifier{},
		factSources:  file.State,
		countryCodes: newCountries(),
	}
	for _, a := range file.Attributes {
		if err := c.addAttribute(a); err != nil {
			return nil, err
		}
	}
	for _, i := range file.Identifiers {
		if err := c.addIdentifier(i); err != nil {
			return nil, err
		}
	}
	if err := c.addFacets(file.Facets); err != nil {
		return nil, err
	}
	return c, c.checkReferences()
}

func (c *Catalogue) addAttribute(a *Attribute) error {
	if c.byName[a.Name] != nil || c.byID[a.ID] != nil {
		return invalidCatalogue("attribute %s: its name or number is used twice", a.Name)
	}
	if n := len(c.attributes); n > 0 && c.attributes[n-1].ID > a.ID {
		return invalidCatalogue("attribute %s: attributes stand in the order of their numbers", a.Name)
	}
	if err := a.compile(c.countryCodes); err != nil {
		return err
	}
	c.attributes = append(c.attributes, a)
	c.byName[a.Name], c.byID[a.ID] = a, a
	return nil
}

func (c *Catalogue) addIdentifier(i *Identifier) error {
	if c.identByType[i.Type] != nil || c.identByID[i.ID] != nil || c.byID[i.ID] != nil {
		return invalidCatalogue("identifier %s: its type or number is used twice", i.Type)
	}
	if err := i.compile(c.countryCodes); err != nil {
		return err
	}
	c.identifiers = append(c.identifiers, i)
	c.identByType[i.Type], c.identByID[i.ID] = i, i
	return nil
}

func (c *Catalogue) checkReferences() error {
	for _, a := range c.attributes {
		from := a.DerivedFrom
		if source, ok := a.GeneraliseFrom(); ok {
			from = append([]privacy.AttributeName{source}, from...)
		}
		for _, name := range from {
			if c.byName[name] == nil || name == a.Name {
				return invalidCatalogue("attribute %s: it refers to %s, which is not another attribute", a.Name, name)
			}
		}
	}
	return c.factSources.check(c)
}

// Attribute finds an attribute by name.
func (c *Catalogue) Attribute(name privacy.AttributeName) (*Attribute, bool) {
	a, ok := c.byName[name]
	return a, ok
}

// ByID finds an attribute by its number.
func (c *Catalogue) ByID(id privacy.AttributeID) (*Attribute, bool) {
	a, ok := c.byID[id]
	return a, ok
}

// Attributes lists all attributes in the order of their numbers. The slice is the caller's.
func (c *Catalogue) Attributes() []*Attribute { return append([]*Attribute(nil), c.attributes...) }

// Identifier finds an identifier type.
func (c *Catalogue) Identifier(t privacy.IdentifierType) (*Identifier, bool) {
	i, ok := c.identByType[t]
	return i, ok
}

// IdentifierByID finds an identifier type by its number. Identifiers and attributes
// draw from one series of numbers, so that a number alone never means two things.
func (c *Catalogue) IdentifierByID(id privacy.AttributeID) (*Identifier, bool) {
	i, ok := c.identByID[id]
	return i, ok
}

// Identifiers lists all identifier types in the order of the catalogue. The slice is the caller's.
func (c *Catalogue) Identifiers() []*Identifier { return append([]*Identifier(nil), c.identifiers...) }

// PolicyData is what policies may know of the attributes: name → id, type, category,
// classification and, where there are sources, derived_from. It holds only JSON's own
// types, so that it can be hashed into a revision and handed to the policy engine.
func (c *Catalogue) PolicyData() map[string]any {
	out := make(map[string]any, len(c.attributes))
	for _, a := range c.attributes {
		entry := map[string]any{
			"id":             int(a.ID),
			"type":           string(a.Type),
			"category":       string(a.Category),
			"classification": string(a.Classification),
		}
		if len(a.DerivedFrom) > 0 {
			sources := make([]any, len(a.DerivedFrom))
			for i, name := range a.DerivedFrom {
				sources[i] = string(name)
			}
			entry["derived_from"] = sources
		}
		out[string(a.Name)] = entry
	}
	return out
}

func checkSchema(data []byte) error {
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"catalogue.schema.json", "attribute.schema.json"} {
		text, err := schemas.FS.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read schema %s: %w", name, err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("read schema %s: %w", name, err)
		}
		if err := compiler.AddResource("https://consentry.dev/schemas/"+name, doc); err != nil {
			return fmt.Errorf("add schema %s: %w", name, err)
		}
	}
	schema, err := compiler.Compile(catalogueSchema)
	if err != nil {
		return fmt.Errorf("compile the catalogue schema: %w", err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("read the catalogue: %w", err)
	}
	return schema.Validate(doc)
}

func invalidCatalogue(format string, args ...any) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_catalogue",
		Detail: "the catalogue contradicts itself", Cause: fmt.Errorf(format, args...)}
}
