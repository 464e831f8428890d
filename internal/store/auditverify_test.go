package store_test

import (
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// verify checks the whole stored log, with checkpoints that somebody kept.
func (db *database) verify(n notary, kept [][]byte) audit.Report {
	db.t.Helper()
	source, err := db.AuditSource(db.t.Context())
	if err != nil {
		db.t.Fatal(err)
	}
	report, err := audit.Verify(db.t.Context(), source.Items(), audit.Trust{Origin: origin, Keys: []audit.Key{n.key}, Kept: kept})
	if err != nil {
		db.t.Fatal(err)
	}
	return report
}

// history writes a small log with decisions and several checkpoints, and gives the newest one.
func (db *database) history(n notary) []byte {
	db.t.Helper()
	for i := range 6 {
		decision := audit.Decision{Revision: "r", Input: []byte{'0' + byte(i)}, Outcome: []byte(`{}`)}
		second := audit.Draft{Action: audit.ActionSubjectLookup, Client: "crm"}
		if i == 4 {
			second = audit.Draft{Action: audit.ActionPolicyPublish, Client: "console", Object: "revision/a", Actor: "ab"}
		}
		db.commit(start, []audit.Draft{
			{Action: audit.ActionDisclosure, Client: "crm-mailer", Subject: privacy.SubjectID{byte(i + 1)}, Purpose: "marketing.email", Decision: decision.Hash()},
			second,
		}, decision)
		db.sequence(n, 10)
	}
	last, err := db.LatestCheckpoint(db.t.Context())
	if err != nil {
		db.t.Fatal(err)
	}
	return last.Note
}

// Whoever has taken the database over, and may write what they like, is found out.
func TestAuditFindsTampering(t *testing.T) {
	t.Parallel()
	const middle = `(SELECT batch_id FROM audit_leaf WHERE index = 4)`
	cases := map[string]struct {
		tamper []string
		found  audit.FindingKind
	}{
		"a changed client":              {[]string{`UPDATE audit_entry SET client = 'nobody' WHERE id = 1 AND batch_id = ` + middle}, audit.FoundChanged},
		"a changed subject":             {[]string{`UPDATE audit_entry SET subject_id = gen_random_uuid() WHERE id = 0 AND batch_id = ` + middle}, audit.FoundChanged},
		"a changed object":              {[]string{`UPDATE audit_entry SET object = 'revision/b' WHERE object = 'revision/a'`}, audit.FoundChanged},
		"a planted object":              {[]string{`UPDATE audit_entry SET object = 'revision/b' WHERE id = 1 AND batch_id = ` + middle}, audit.FoundChanged},
		"a removed actor":               {[]string{`UPDATE audit_entry SET actor = NULL WHERE actor IS NOT NULL`}, audit.FoundChanged},
		"a changed time":                {[]string{`UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = 0 AND batch_id = ` + middle}, audit.FoundChanged},
		"an exchanged decision":         {[]string{`UPDATE audit_entry SET decision_hash = (SELECT hash FROM decision WHERE input = '1') WHERE decision_hash = (SELECT hash FROM decision WHERE input = '3')`}, audit.FoundChanged},
		"a removed entry":               {[]string{`DELETE FROM audit_entry WHERE id = 1 AND batch_id = ` + middle}, audit.FoundRemoved},
		"a removed entry and its leaf":  {[]string{`DELETE FROM audit_entry WHERE id = 1 AND batch_id = ` + middle, `UPDATE audit_leaf SET hashes = substr(hashes, 1, 32) WHERE index = 4`}, audit.FoundGap},
		"a leaf made to fit a change":   {[]string{`UPDATE audit_leaf SET hashes = substr(hashes, 1, 32) || sha256('x') WHERE index = 4`}, audit.FoundRootMismatch},
		"an inserted entry":             {[]string{`INSERT INTO audit_entry SELECT batch_id, 2, at, action, 'planted', request_id, subject_id, purpose, decision_hash, roles, attributes FROM audit_entry WHERE id = 1 AND batch_id = ` + middle}, audit.FoundInserted},
		"an inserted entry with a leaf": {[]string{`INSERT INTO audit_entry SELECT gen_random_uuid(), 0, at, action, client, request_id, subject_id, purpose, NULL, roles, attributes FROM audit_entry LIMIT 1`, `INSERT INTO audit_leaf SELECT 12, batch_id, sha256('x') FROM audit_entry e WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.batch_id = e.batch_id)`}, audit.FoundUnsigned},
		"a truncated tail":              {[]string{`DELETE FROM audit_leaf WHERE index >= 10`, `DELETE FROM audit_entry e WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.batch_id = e.batch_id)`}, audit.FoundTruncated},
		"a changed decision":            {[]string{`UPDATE decision SET outcome = '{"permitted":{}}' WHERE input = '3'`}, audit.FoundDecisionChanged},
		"a removed decision":            {[]string{`DELETE FROM decision WHERE input = '3'`}, audit.FoundDecisionMissing},
		"a changed checkpoint":          {[]string{`UPDATE audit_checkpoint SET note = convert_to(replace(convert_from(note, 'UTF8'), E'\n6\n', E'\n5\n'), 'UTF8') WHERE size = 6`}, audit.FoundBadSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := setup(t)
			n := newNotary(t)
			db.history(n)
			if report := db.verify(n, nil); !report.OK() || report.Size != 12 || report.Decisions != 6 || report.Checkpoints != 6 {
				t.Fatalf("before: %+v", report)
			}
			for _, statement := range c.tamper {
				db.exec(statement)
			}
			report := db.verify(n, nil)
			for _, f := range report.Findings {
				if f.Kind == c.found {
					return
				}
			}
			t.Errorf("no %s among %+v", c.found, report.Findings)
		})
	}
}

// Entries that are kept as a run are no less safe than single ones.
func TestAuditFindsTamperingWithARun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tamper string
		found  audit.FindingKind
	}{
		"a changed client":      {`UPDATE audit_run SET client = 'nobody'`, audit.FoundChanged},
		"an exchanged subject":  {`UPDATE audit_run SET subject_ids[3] = subject_ids[4]`, audit.FoundChanged},
		"an exchanged decision": {`UPDATE audit_run SET decided[2] = 2`, audit.FoundChanged},
		"a removed entry":       {`UPDATE audit_run SET subject_ids = subject_ids[1:19], decided = decided[1:19]`, audit.FoundRemoved},
		"a removed run":         {`DELETE FROM audit_run`, audit.FoundRemoved},
		"an added entry":        {`UPDATE audit_run SET subject_ids = subject_ids || subject_ids[1], decided = decided || 1::smallint`, audit.FoundInserted},
		"an entry kept twice": {`INSERT INTO audit_entry (batch_id, id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes)
			SELECT batch_id, 5, at, action, 'planted', request_id, subject_id, purpose, decision_hash, roles, attributes FROM audit_trail WHERE id = 5`, audit.FoundChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := setup(t)
			n := newNotary(t)
			one, two := audit.Decision{Revision: "r", Input: []byte(`1`), Outcome: []byte(`{}`)}, audit.Decision{Revision: "r", Input: []byte(`2`), Outcome: []byte(`{}`)}
			drafts := make([]audit.Draft, 20)
			for i := range drafts {
				drafts[i] = audit.Draft{Action: audit.ActionDisclosure, Client: "crm-mailer", Subject: privacy.SubjectID{byte(i + 1)}, Decision: one.Hash()}
				if i > 9 {
					drafts[i].Decision = two.Hash()
				}
			}
			db.commit(start, drafts, one, two)
			db.sequence(n, 10)
			if report := db.verify(n, nil); !report.OK() || report.Size != 20 || report.Decisions != 2 {
				t.Fatalf("before: %+v", report)
			}
			db.exec(c.tamper)
			report := db.verify(n, nil)
			if !slices.ContainsFunc(report.Findings, func(f audit.Finding) bool { return f.Kind == c.found }) {
				t.Errorf("no %s among %+v", c.found, report.Findings)
			}
		})
	}
}

// A tail that is cut off with its checkpoints leaves a log that is sound in itself: only a
// checkpoint kept elsewhere tells.
func TestAuditFindsATailCutOffWithItsCheckpoints(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	kept := db.history(n)
	for _, statement := range []string{`DELETE FROM audit_checkpoint WHERE size > 8`, `DELETE FROM audit_leaf WHERE index >= 8`,
		`DELETE FROM audit_entry e WHERE NOT EXISTS (SELECT FROM audit_leaf l WHERE l.batch_id = e.batch_id)`} {
		db.exec(statement)
	}
	if report := db.verify(n, nil); !report.OK() {
		t.Errorf("the rest is sound: %+v", report.Findings)
	}
	report := db.verify(n, [][]byte{kept})
	if len(report.Findings) != 1 || report.Findings[0].Kind != audit.FoundTruncated {
		t.Errorf("got %+v", report.Findings)
	}
}

// What happens to an entry between its commit and the sequencer's next step is found, too: the leaf
// is made of what was committed.
func TestAuditFindsTamperingWithTheQueue(t *testing.T) {
	t.Parallel()
	for kind, statement := range map[audit.FindingKind]string{
		audit.FoundRemoved:  `DELETE FROM audit_entry WHERE id = 1`,
		audit.FoundChanged:  `UPDATE audit_entry SET client = 'nobody' WHERE id = 1`,
		audit.FoundInserted: `INSERT INTO audit_entry SELECT batch_id, 2, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes FROM audit_entry WHERE id = 1`,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db := setup(t)
			n := newNotary(t)
			db.commit(start, lookups(2))
			db.exec(statement)
			db.sequence(n, 10)
			if report := db.verify(n, nil); len(report.Findings) != 1 || report.Findings[0].Kind != kind {
				t.Errorf("got %+v", report.Findings)
			}
		})
	}
}

// The log is read a page at a time; nothing is lost between the pages.
func TestAuditReadsLogsOfManyPages(t *testing.T) {
	t.Parallel()
	db := setup(t)
	n := newNotary(t)
	for range 3 {
		db.commit(start, lookups(2_000)) // 6,000 records: exactly three full pages
	}
	db.sequence(n, 1)
	db.commit(start, lookups(4_100)) // not in the log yet
	report := db.verify(n, nil)
	if report.Size != 6_000 || report.Signed != 6_000 || len(report.Findings)+report.Omitted != 4_100 {
		t.Errorf("size %d, signed %d, findings %d and %d", report.Size, report.Signed, len(report.Findings), report.Omitted)
	}
	for _, f := range report.Findings {
		if f.Kind != audit.FoundInserted {
			t.Fatalf("got %+v", f)
		}
	}
	db.sequence(n, 10)
	if report := db.verify(n, nil); !report.OK() || report.Size != 10_100 {
		t.Errorf("size %d, %+v", report.Size, report.Findings)
	}
}
