package custody_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// replayLog decides the log again as an auditor does: somebody with read rights on the database, and no more.
func (v *vault) replayLog(since, until time.Time) *custody.ReplayReport {
	v.t.Helper()
	db, err := store.Open(v.t.Context(), store.Config{URL: testenv.Login(v.t, v.url, "consentry_reader"), MaxConns: 2})
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	report, err := custody.ReplayLog(v.t.Context(), db, policy.NewEngine(policy.WithRevisions(2)), since, until)
	if err != nil {
		v.t.Fatal(err)
	}
	return report
}

// record has 1,000 decisions recorded, by five revisions about people in four states, and gives when each revision began.
func (v *vault) record() (starts []time.Time) {
	v.t.Helper()
	var ids []privacy.SubjectID
	for i := range 20 {
		ids = append(ids, v.put(fmt.Sprintf("replay-%d@example.com", i), fields{"country": []string{"DE", "CN"}[i%2], "email": "a@example.com"}))
		if i%4 < 2 {
			v.decide(ids[i], privacy.ActionGrant)
		}
	}
	names := []privacy.AttributeName{"email", "given_name", "education", "province", "gender", "language", "birth_date", "customer_level", "phone", "income"}
	for i := range 5 {
		v.publish(func(data map[string]any) {
			data["matrix"].(map[string]any)["city"] = map[string]any{"marketing.email": []string{"plain", "generalise", "mask", "tokenise", "deny"}[i]}
		})
		starts = append(starts, v.clock.Read())
		for n := range names {
			if _, err := v.ask([]privacy.AttributeName{"city", names[n], names[(n+1)%len(names)]}, ids...); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	return starts
}

func TestLaw7AThousandRecordedDecisionsReplay(t *testing.T) {
	t.Parallel()
	v := setup(t)
	starts := v.record()
	report := v.replayLog(time.Time{}, time.Time{})
	if report.Entries != 1000 || report.Decisions != 200 || report.Revisions != 5 || !report.OK() || len(report.Findings) != 0 {
		t.Fatalf("got %+v", report)
	}
	if part := v.replayLog(starts[1], starts[3]); part.Entries != 400 || part.Decisions != 80 || part.Revisions != 2 || !part.OK() {
		t.Errorf("of a part: %+v", part)
	}

	// Each way of tampering is told by itself, and those that nobody touched still come out as recorded.
	const one = `(SELECT hash FROM decision ORDER BY hash LIMIT 1)`
	outcome := func(from, to string) string {
		return `UPDATE decision SET outcome = convert_to(replace(convert_from(outcome, 'UTF8'), '` + from + `', '` + to + `'), 'UTF8')`
	}
	v.exec(outcome("generalise", "plain"))
	v.wantReplay("decision_changed", func(r *custody.ReplayReport) bool { return len(r.Findings) > 10 && r.Same+len(r.Findings) == 200 })
	v.exec(`UPDATE decision SET outcome = '{}' WHERE hash = ` + one)
	v.wantReplay("decision_changed", nil)
	v.exec(`DELETE FROM decision WHERE hash = ` + one)
	v.wantReplay("decision_missing", nil)
	v.exec(`UPDATE revision SET content = content || ' ' WHERE revision_id = (SELECT revision_id FROM publication WHERE number = 3)`)
	v.wantReplay("revision_changed", nil)
	v.exec(`ALTER TABLE publication DISABLE TRIGGER ALL`)
	v.exec(`ALTER TABLE revision DISABLE TRIGGER ALL`)
	v.exec(`DELETE FROM revision WHERE revision_id = (SELECT revision_id FROM publication WHERE number = 4)`)
	v.wantReplay("revision_missing", nil)
}

// wantReplay fails unless the log's replay finds the kind.
func (v *vault) wantReplay(kind custody.ReplayKind, also func(*custody.ReplayReport) bool) {
	v.t.Helper()
	report := v.replayLog(time.Time{}, time.Time{})
	if report.OK() || also != nil && !also(report) {
		v.t.Errorf("%s: %d of %d are the same, %d findings", kind, report.Same, report.Decisions, len(report.Findings))
	}
	for _, finding := range report.Findings {
		if finding.Kind == kind && finding.Entries > 0 && finding.Entry != "" {
			return
		}
	}
	v.t.Errorf("no finding says %s", kind)
}

// Somebody who can write to the database, and makes the hashes fit, is found by the policy itself.
func TestReplayFindsADecisionThatWasNeverTaken(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", ada)
	v.decide(id, privacy.ActionGrant)
	v.wantTold(id, told{"email": `"ada@example.com"`})
	name := v.newest(id, 1)[0].Name
	detail, err := v.Entry(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	forged := *detail.Decided
	forged.Outcome = []byte(`{"permitted":{},"withheld":{"email":"objected"}}`)
	hash := forged.Hash()
	v.exec(`INSERT INTO decision (hash, revision_id, input, outcome) VALUES ($1, $2, $3, $4)`, hash[:], forged.Revision, forged.Input, forged.Outcome)
	v.exec(`UPDATE audit_entry SET decision_hash = $1 WHERE batch_id::text || '.' || id = $2`, hash[:], name.String())
	report := v.replayLog(time.Time{}, time.Time{})
	if report.OK() || len(report.Findings) != 1 || report.Findings[0].Kind != custody.ReplayDifferent || report.Findings[0].Entry != name.String() {
		t.Errorf("got %+v", report)
	}
	input := append([]byte(strconv.Quote("not an input")), ' ')
	forged.Input = input
	hash = forged.Hash()
	v.exec(`INSERT INTO decision (hash, revision_id, input, outcome) VALUES ($1, $2, $3, $4)`, hash[:], forged.Revision, forged.Input, forged.Outcome)
	v.exec(`UPDATE audit_entry SET decision_hash = $1 WHERE batch_id::text || '.' || id = $2`, hash[:], name.String())
	v.wantReplay(custody.ReplayInputUnreadable, nil)
}
