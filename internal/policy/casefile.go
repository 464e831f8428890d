package policy

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"

	"github.com/consentry/consentry/internal/privacy"
)

// ParseCases reads a list of cases from YAML, of which JSON is a part. The shape is that of
// schemas/policy-case.schema.json.
func ParseCases(text []byte) ([]Case, error) {
	var document []any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, invalidCases(err)
	}
	content, err := json.Marshal(document)
	if err != nil {
		return nil, invalidCases(err)
	}
	var cases []Case
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&cases); err != nil {
		return nil, invalidCases(err)
	}
	return cases, nil
}

// FormatCases writes cases as ParseCases reads them.
func FormatCases(cases []Case) ([]byte, error) {
	content, err := canonicalJSON(cases)
	if err != nil {
		return nil, privacy.Internal(err, "write the cases of a revision")
	}
	// JSON is YAML: read as such, its fields keep their order, which a map would lose.
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, privacy.Internal(err, "write the cases of a revision")
	}
	plainStyle(&document, 0)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, privacy.Internal(err, "write the cases of a revision")
	}
	return out.Bytes(), nil
}

// plainStyle gives each field of a case a line of its own, and leaves what is in it on that line.
func plainStyle(node *yaml.Node, depth int) {
	if depth < 3 && (node.Kind == yaml.SequenceNode || node.Kind == yaml.MappingNode) {
		node.Style = 0
	}
	if node.Kind == yaml.ScalarNode {
		node.Style = 0
	}
	for _, child := range node.Content {
		plainStyle(child, depth+1)
	}
}

func invalidCases(cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_cases",
		Detail: "cases are a list in YAML or JSON as schemas/policy-case.schema.json describes", Cause: cause}
}
