package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/policies"
)

// Revision is an immutable set of policy modules and policy data. Treat the maps as
// read-only: the id stands for what they held when it was made.
type Revision struct {
	ID      privacy.RevisionID
	Modules map[string]string // file name → Rego
	Data    map[string]any    // the document at data, e.g. "purposes" → …
	Tests   Tests             // what the officer expects of it; no decision reads them

	content []byte
}

// NewRevision makes a revision of modules and data. The data may be anything that
// encoding/json marshals to objects; it is copied.
func NewRevision(modules map[string]string, data map[string]any) (Revision, error) {
	return newRevision(revisionDocument{Data: data, Modules: modules})
}

// WithTests gives a revision of the same modules and data with these tests, under the id that they
// give it. A revision without tests has the id it had before there were any.
func (r Revision) WithTests(tests Tests) (Revision, error) {
	return newRevision(revisionDocument{Data: r.Data, Modules: r.Modules, Tests: tests})
}

func newRevision(document revisionDocument) (Revision, error) {
	document.Tests = document.Tests.sorted()
	content, err := canonicalJSON(document)
	if err != nil {
		return Revision{}, privacy.Internal(err, "encode a policy revision")
	}
	// Only what was decoded has its keys in order: the data may hold types that
	// marshal themselves.
	revision, err := decodeRevision(content)
	if err != nil {
		return Revision{}, err
	}
	if revision.content, err = canonicalJSON(revision.document()); err != nil {
		return Revision{}, privacy.Internal(err, "encode a policy revision")
	}
	revision.ID = hashID(revision.content)
	return revision, nil
}

// Default makes the revision of the built-in policy for a catalogue: attributes
// maps each name to its definition, of which the rules read classification and
// derived_from. It carries the tests it was built with, so that a draft that begins with it is held to them.
func Default(attributes map[string]any) (Revision, error) {
	modules, err := builtinSources(false)
	if err != nil {
		return Revision{}, err
	}
	data, err := defaultData()
	if err != nil {
		return Revision{}, err
	}
	data["attributes"] = attributes
	tests, err := DefaultTests()
	if err != nil {
		return Revision{}, err
	}
	return newRevision(revisionDocument{Data: data, Modules: modules, Tests: tests})
}

// Content gives the canonical bytes, the ones the id is the hash of.
func (r Revision) Content() ([]byte, error) {
	if r.content != nil {
		return bytes.Clone(r.content), nil
	}
	content, err := canonicalJSON(r.document())
	if err != nil {
		return nil, privacy.Internal(err, "encode a policy revision")
	}
	return content, nil
}

// ParseRevision reads what Content gave and works out the id anew: compare it with the
// id the content was kept under. Bytes that are not canonical are refused, since
// they would give one policy two ids.
func ParseRevision(content []byte) (Revision, error) {
	revision, err := decodeRevision(bytes.Clone(content))
	if err != nil {
		return Revision{}, err
	}
	canonical, err := canonicalJSON(revision.document())
	if err != nil || !bytes.Equal(canonical, content) {
		return Revision{}, privacy.Invalid("invalid_revision", "the content of a policy revision is not in its canonical form")
	}
	return revision, nil
}

// verify checks that the id is the hash of what the revision holds now.
func (r Revision) verify() error {
	content, err := canonicalJSON(r.document())
	if err != nil {
		return privacy.Internal(err, "encode a policy revision")
	}
	if hashID(content) != r.ID {
		return privacy.Invalid("revision_mismatch", "the policy revision does not hold what its id stands for")
	}
	return nil
}

type revisionDocument struct {
	Data    map[string]any    `json:"data"`
	Modules map[string]string `json:"modules"`
	Tests   Tests             `json:"tests,omitzero"`
}

func (r Revision) document() revisionDocument {
	return revisionDocument{Data: r.Data, Modules: r.Modules, Tests: r.Tests.sorted()}
}

func decodeRevision(content []byte) (Revision, error) {
	var document revisionDocument
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return Revision{}, invalidRevision(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Revision{}, privacy.Invalid("invalid_revision", "a policy revision is one JSON object")
	}
	if len(document.Modules) == 0 || len(document.Data) == 0 {
		return Revision{}, privacy.Invalid("invalid_revision", "a policy revision needs modules and data")
	}
	return Revision{ID: hashID(content), Modules: document.Modules, Data: document.Data, Tests: document.Tests, content: content}, nil
}

func invalidRevision(cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_revision",
		Detail: "the content is not that of a policy revision", Cause: cause}
}

func hashID(content []byte) privacy.RevisionID {
	sum := sha256.Sum256(content)
	return privacy.RevisionID(hex.EncodeToString(sum[:]))
}

// canonicalJSON marshals with sorted keys, no insignificant space and no HTML escapes.
// Numbers keep the text they were read with, so reading and writing again changes nothing.
func canonicalJSON(document any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// builtinSources gives the built-in modules, or the tests beside them.
func builtinSources(tests bool) (map[string]string, error) {
	names, err := fs.Glob(policies.FS, "*.rego")
	if err != nil {
		return nil, privacy.Internal(err, "list the built-in policy")
	}
	modules := make(map[string]string, len(names))
	for _, name := range names {
		if strings.HasSuffix(name, "_test.rego") != tests {
			continue
		}
		source, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			return nil, privacy.Internal(err, "read the built-in policy")
		}
		modules[name] = string(source)
	}
	return modules, nil
}

func defaultData() (map[string]any, error) {
	names, err := fs.Glob(policies.FS, "data/*.json")
	if err != nil {
		return nil, privacy.Internal(err, "list the built-in policy data")
	}
	data := make(map[string]any, len(names)+1)
	for _, name := range names {
		table, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			return nil, privacy.Internal(err, "read the built-in policy data")
		}
		data[strings.TrimSuffix(path.Base(name), ".json")] = json.RawMessage(table)
	}
	return data, nil
}
