package store_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Entries that are alike travel together, between others that are not: each comes back as it was written.
func TestRunsOfAlikeEntriesComeBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	db := setup(t)
	decision := audit.Decision{Revision: "r1", Input: []byte(`{"a":1}`), Outcome: []byte(`{"b":2}`)}
	change := map[string]func(*audit.Draft){
		"time":       func(d *audit.Draft) { d.At = start.Add(time.Second) },
		"action":     func(d *audit.Draft) { d.Action = audit.ActionSubjectLookup },
		"client":     func(d *audit.Draft) { d.Client = "other" },
		"roles":      func(d *audit.Draft) { d.Roles = []privacy.Role{"consumer"} },
		"request":    func(d *audit.Draft) { d.RequestID = "q" },
		"purpose":    func(d *audit.Draft) { d.Purpose = "p" },
		"attributes": func(d *audit.Draft) { d.Attributes = []privacy.AttributeName{"city", "email"} },
		"object":     func(d *audit.Draft) { d.Object = "draft/a" },
		"actor":      func(d *audit.Draft) { d.Actor = "ab" },
		"nothing":    func(*audit.Draft) {},
	}
	for _, lengths := range [][]int{{20, 1, 40}, {1, 30, 2}, {100}, {3, 2, 1}} {
		for name, differ := range change {
			var drafts []audit.Draft
			for run, n := range lengths {
				for i := range n {
					d := audit.Draft{Action: audit.ActionDisclosure, Client: "crm", At: start}
					if i%3 != 0 {
						d.Subject = privacy.SubjectID{byte(run + 1), byte(i)}
					}
					if i%2 != 0 {
						d.Decision = decision.Hash()
					}
					if run%2 != 0 {
						differ(&d)
					}
					drafts = append(drafts, d)
				}
			}
			for _, want := range db.commit(start, drafts, decision).Entries {
				got, err := db.AuditEntry(t.Context(), want.Name)
				if err != nil || got.LeafHash() != want.LeafHash() {
					t.Fatalf("%v, %s: got %v, %v; want %v", lengths, name, got, err, want)
				}
			}
		}
	}
}
