package e2e_test

import (
	"net/http"
	"testing"
	"time"
)

// A request with one proof of two waits until it is due, and for as long again as one without any; then it expires. One that fails does not keep the
// others from it. What nobody has shown to be the subject's words is not kept when it is refused.
func TestRequestsThatWaitForASecondProofExpire(t *testing.T) {
	time0 := &clock{}
	v := setupWith(t, behindAProxy, time0.set)
	v.store("late@example.com", object{"country": "DE", "birth_date": "1990-12-10"})
	ask := func() (r rightsRequest) {
		v.anybody("203.0.113.1", "/v1/requests/form", form("restriction", "late@example.com")).into(t, &r)
		return r
	}
	broken, looked, unseen := ask(), ask(), ask()
	v.verify(looked.ID, v.agent(), http.StatusOK)
	looked = v.requestOf(looked.ID)
	var refused rightsRequest
	v.post("/v1/requests", v.agent(), object{"type": "rectification", "identifier": object{"type": "email", "value": "late@example.com"}, "details": object{"text": "a stranger's words"}}, http.StatusCreated).into(t, &refused)
	v.post("/v1/requests/"+refused.ID+"/reject", v.officer(), object{"ground": "not_identified"}, http.StatusOK)
	db := v.connect()
	var left int
	if err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM rights_detail) + (SELECT count(*) FROM rights_code WHERE request_id = $1)`, refused.ID).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left of what was refused: %v", left, err)
	}

	mustExec(t, db, `ALTER TABLE rights_request ADD CONSTRAINT broken CHECK (request_id <> '`+broken.ID+`' OR state <> 'expired') NOT VALID`)
	time0.pass(15 * 24 * time.Hour)
	if err := v.node.Rights.Attend(t.Context()); err == nil {
		t.Error("that one of them failed is not said")
	}
	for _, c := range []struct{ name, id, state string }{{"broken", broken.ID, "verifying"}, {"with a proof", looked.ID, "verifying"}, {"without", unseen.ID, "expired"}} {
		if r := v.requestOf(c.id); r.State != c.state {
			t.Errorf("%s: %s", c.name, r.State)
		}
	}
	mustExec(t, db, `ALTER TABLE rights_request DROP CONSTRAINT broken`)
	for _, c := range []struct {
		at    time.Time
		state string
	}{{looked.DueAt.AddDate(0, 0, 13), "verifying"}, {looked.DueAt.AddDate(0, 0, 14).Add(time.Hour), "expired"}} {
		time0.reach(c.at)
		if err := v.node.Rights.Attend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := v.requestOf(looked.ID); r.State != c.state {
			t.Errorf("at %v, due at %v: %s", c.at, looked.DueAt, r.State)
		}
	}
}

// Requests that wait for officers hide none of those that can go on, however many they are.
func TestResumeGetsPastThoseThatWait(t *testing.T) {
	v := setup(t)
	id := v.store("behind@example.com", object{"country": "DE", "birth_date": "1990-12-10"})
	db := v.connect()
	waiting := func(of, kind, scope string) string {
		return `INSERT INTO rights_request (subject_id, request_id, type, scope, state, version, lodged_by, identified_by, regime, revision_id, received_at, acknowledged_at, due_at, legal_due_on, client, actor, updated_at)
			SELECT '` + id + `', ` + of + `, '` + kind + `', ` + scope + `, 'in_progress', 1, 'subject', 'token', 'gdpr', '', now(), now(), now() + '30 days', now(), 'portal', '', now()`
	}
	mustExec(t, db, waiting(`('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid`, "rectification", "n::text")+` FROM generate_series(1, 10001) n`)
	const last = "ffffffff-0000-7000-8000-000000000000"
	mustExec(t, db, waiting(`'`+last+`'::uuid`, "restriction", "'*'"))
	if err := v.node.Rights.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	var jobs int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'rights.carry_out' AND args::text LIKE '%' || $1 || '%'`, last).Scan(&jobs); err != nil || jobs != 1 {
		t.Errorf("%d jobs: %v", jobs, err)
	}
}
