package e2e_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/demo"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// Every decision replays: from the audit log and the revisions alone, on an engine that has never seen the
// vault, each recorded input gives the recorded outcome.
func TestLaw7DecisionsReplayOffline(t *testing.T) {
	v := setup(t)
	people := demo.People(400, 7, time.Now())
	ids, err := demo.Load(t.Context(), v.node.Service, people, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = id.String()
	}
	for _, purpose := range []string{"marketing.email", "marketing.sms", "service.support", "analytics.profiling", "ads.personalised", "sales.outreach"} {
		for _, attributes := range [][]string{{"email"}, {"email", "city", "income", "birth_date"}, {"religion", "health_notes", "government_id", "phone"}} {
			v.disclose(purpose, attributes, refs...)
		}
	}
	conn := v.connect()
	decisions := recordedDecisions(t, conn)
	if len(decisions) < 100 {
		t.Fatalf("only %d decisions on record", len(decisions))
	}
	t.Logf("%d distinct decisions", len(decisions))
	if different := replay(t, conn, decisions); different != 0 {
		t.Errorf("%d decisions do not replay", different)
	}
	tampered := bytes.Replace(decisions[0].Outcome, []byte(`"withheld":{`), []byte(`"withheld":{"x":"consent_missing",`), 1)
	decisions[0].Outcome = tampered
	if different := replay(t, conn, decisions); different != 1 {
		t.Errorf("%d differences after tampering with one", different)
	}
}

func recordedDecisions(t *testing.T, conn *pgx.Conn) []audit.Decision {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT revision_id, input, outcome FROM decision`)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[audit.Decision])
	if err != nil {
		t.Fatal(err)
	}
	return decisions
}

// replay decides again from what is recorded, and counts the differences.
func replay(t *testing.T, conn *pgx.Conn, decisions []audit.Decision) (different int) {
	t.Helper()
	engine := policy.NewEngine()
	for _, d := range decisions {
		if !engine.Loaded(d.Revision) {
			loadRevision(t, conn, engine, d.Revision)
		}
		input, err := policy.ParseInput(d.Input)
		if err != nil {
			t.Fatal(err)
		}
		again, err := engine.Decide(t.Context(), d.Revision, input)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := json.Marshal(again.Outcome)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(outcome, d.Outcome) {
			different++
		}
	}
	return different
}

func loadRevision(t *testing.T, conn *pgx.Conn, engine *policy.Engine, id privacy.RevisionID) {
	t.Helper()
	var content []byte
	if err := conn.QueryRow(t.Context(), `SELECT content FROM revision WHERE revision_id = $1`, id).Scan(&content); err != nil {
		t.Fatal(err)
	}
	revision, err := policy.ParseRevision(content)
	if err != nil {
		t.Fatal(err)
	}
	if revision.ID != id {
		t.Fatal("a revision's content does not match its name")
	}
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
}
