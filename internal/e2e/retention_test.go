package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

type retentionRun struct {
	ID         string
	DryRun     bool       `json:"dry_run"`
	FinishedAt *time.Time `json:"finished_at"`
	Subjects   int
	Attributes map[string]map[string]int
}

// retain starts a run of the retention job and waits for its end.
func (v *vault) retain(dry bool) (run retentionRun) {
	v.t.Helper()
	v.post("/v1/retention/runs", v.officer(), object{"dry_run": dry}, http.StatusAccepted).into(v.t, &run)
	id := run.ID
	waitUntil(v.t, func() bool {
		run = retentionRun{}
		v.get("/v1/retention/runs/"+id, v.officer()).into(v.t, &run)
		return run.FinishedAt != nil
	})
	return run
}

// A thousand people over several attributes: what was collected long ago goes, what is younger or under a hold stays, a dry run only
// counts, and segments follow.
func TestRetentionDeletesWhatIsOver(t *testing.T) {
	v := setup(t)
	const people, old = 1000, 300 // the first 300 gave theirs four years ago
	var lines []byte
	now := time.Now().UTC()
	for i := range people {
		collected := now.AddDate(-1, 0, 0)
		if i < old {
			collected = now.AddDate(-4, 0, 0)
		}
		lines = fmt.Appendf(lines, `{"identifiers":[{"type":"email","value":"kept-%[1]d@example.com"}],"source":"test","collected_at":%[2]q,"attributes":{"email":"kept-%[1]d@example.com","given_name":"Ada","gender":"female","country":"DE","birth_date":"1990-12-10"}}`+"\n", i, collected.Format(time.RFC3339))
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), string(lines)); a.status != http.StatusOK {
		t.Fatalf("import: %d %.300s", a.status, a.body)
	}
	ids := v.subjectIDs()
	var hold struct{ ID string }
	v.post("/v1/subjects/"+ids[0]+"/holds", v.officer(), object{"ground": "legal_obligation"}, http.StatusCreated).into(t, &hold)

	db := v.connect()
	held := func(attribute int) (n int) {
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM attribute_value WHERE attribute_id = $1 AND sealed IS NOT NULL`, attribute).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const givenName, gender = 1, 4
	dry := v.retain(true)
	if dry.Subjects != old || dry.Attributes["given_name"]["expired"] != old-1 || dry.Attributes["given_name"]["held"] != 1 || held(givenName) != people {
		t.Errorf("the dry run: %+v; %d values are there", dry, held(givenName))
	}
	real := v.retain(false)
	if real.Attributes["given_name"]["expired"] != old-1 || real.Attributes["gender"]["expired"] != old-1 || real.Attributes["given_name"]["held"] != 1 {
		t.Errorf("the run: %+v", real)
	}
	if n := held(givenName); n != people-old+1 {
		t.Errorf("%d names are kept", n)
	}
	if n := held(gender); n != people-old+1 {
		t.Errorf("%d genders are kept", n)
	}
	var entries, facets int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'retention.delete' AND object = 'retention/' || $1`, real.ID).Scan(&entries); err != nil || entries != old-1 {
		t.Errorf("%d entries tell of it: %v", entries, err)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM subject WHERE facets_version > 1`).Scan(&facets); err != nil || facets != old-1 {
		t.Errorf("the facets of %d people were worked out anew: %v", facets, err)
	}
	if again := v.retain(false); again.Attributes["given_name"]["expired"] != 0 || again.Attributes["given_name"]["held"] != 1 {
		t.Errorf("a second run: %+v", again)
	}
	// Once the hold ends, the next run takes what it kept.
	v.post("/v1/subjects/"+ids[0]+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if last := v.retain(false); last.Attributes["given_name"]["expired"] != 1 {
		t.Errorf("after the hold: %+v", last)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/retention/runs", v.steward(), object{}); a.status != http.StatusForbidden {
		t.Errorf("a steward runs it: %d", a.status)
	}
}

// A purpose that ended takes along what no other purpose covers: after a week, in which it can be put back, and not what is held.
func TestRetentionOfAPurposeThatEnded(t *testing.T) {
	v := setup(t)
	give := func(email string) string {
		return v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10", "religion": "none of them", "interests": []string{"chess"}})
	}
	id, kept := give("ended@example.com"), give("ended-held@example.com")
	v.post("/v1/subjects/"+kept+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated)
	const purpose = `{"title":{"en":"Club","zh":"俱乐部"},"category":"service","basis":{"default":"contract"},"marketing":false,"profiling":false,"automated_decision":false,"cross_context":false,"online_platform":false,"minimum_notice_version":0,"necessity_recorded":true}`
	v.enact("Begin the club", `{"data":{"purposes":{"loyalty.club":`+purpose+`},"matrix":{"religion":{"loyalty.club":"plain","analytics.profiling":null,"marketing.segment":null},"interests":{"loyalty.club":"plain"}}}}`)
	if run := v.retain(false); run.Subjects != 0 {
		t.Errorf("while the club is there: %+v", run)
	}
	v.enact("End the club", `{"data":{"purposes":{"loyalty.club":null},"matrix":{"religion":{"loyalty.club":null},"interests":{"loyalty.club":null}}}}`)
	if run := v.retain(false); run.Subjects != 0 {
		t.Errorf("on the day it ended: %+v", run)
	}
	sql(t, v.connect(), `UPDATE publication SET published_at = published_at - interval '8 days'`)

	// A run that is under way when the purpose comes back goes by the policy that brings it back.
	sql(t, v.connect(), `INSERT INTO retention_run (run_id, dry_run, revision_id, client, started_at, cursor) SELECT gen_random_uuid(), false, revision_id, 'left', now(), '00000000-0000-0000-0000-000000000000' FROM publication ORDER BY number DESC LIMIT 1`)
	begin := `{"data":{"purposes":{"loyalty.club":` + purpose + `},"matrix":{"religion":{"loyalty.club":"plain"},"interests":{"loyalty.club":"plain"}}}}`
	v.enact("Begin the club again", begin)
	if err := v.node.Service.RetainDaily(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return runsOf(t, v.connect(), `client = 'left' AND finished_at IS NULL`) == 0 })
	if n := runsOf(t, v.connect(), `client = 'left' AND subjects = 0 AND revision_id = (SELECT revision_id FROM publication ORDER BY number DESC LIMIT 1)`); n != 1 {
		t.Error("a run under way has deleted what is for a purpose that came back")
	}
	v.enact("End the club again", `{"data":{"purposes":{"loyalty.club":null},"matrix":{"religion":{"loyalty.club":null},"interests":{"loyalty.club":null}}}}`)
	sql(t, v.connect(), `UPDATE publication SET published_at = published_at - interval '8 days'`)
	run := v.retain(false)
	if run.Attributes["religion"]["purpose_ended"] != 1 || run.Attributes["religion"]["held"] != 1 || len(run.Attributes) != 1 {
		t.Errorf("a week later: %+v", run)
	}
	rows := map[string]int{}
	for name, person := range map[string]string{"its": id, "the held": kept} {
		var n int
		if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM attribute_value WHERE subject_id = $1 AND sealed IS NOT NULL`, person).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows[name] = n
	}
	if rows["its"] != 4 || rows["the held"] != 5 {
		t.Errorf("what is left: %v", rows)
	}
}
