package policy

import (
	"bytes"
	"encoding/json"

	"github.com/consentry/consentry/internal/privacy"
)

// ReadRevision makes a revision of a document as [Revision.Content] gives it, in any spelling. Use it for what
// people wrote, and [ParseRevision] for what was kept.
func ReadRevision(document []byte) (Revision, error) {
	read, err := decodeRevision(bytes.Clone(document))
	if err != nil {
		return Revision{}, err
	}
	return newRevision(read.document())
}

// TableProblems holds the tables of a revision to their schemas and to each other, its cases to what a case
// has, and all of it to what a revision may weigh: what can be said of a revision that is still being written,
// since its modules may not compile yet.
func TableProblems(revision Revision) []Problem {
	problems := append(sizeProblems(revision), tableProblems(revision.Data)...)
	return append(problems, caseProblems(revision.Tests.Cases)...)
}

// Document gives the content as a tree of maps, lists, texts and json.Numbers, a new one at each call.
func (r Revision) Document() (map[string]any, error) {
	content, err := r.Content()
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return nil, privacy.Internal(err, "read a policy revision")
	}
	return document, nil
}

// MakeRevision makes a revision of a tree as [Revision.Document] gives it.
func MakeRevision(document map[string]any) (Revision, error) {
	content, err := canonicalJSON(document)
	if err != nil {
		return Revision{}, privacy.Internal(err, "encode a policy revision")
	}
	return ReadRevision(content)
}
