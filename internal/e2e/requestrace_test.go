package e2e_test

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
)

// An officer refuses an erasure while a job is about to begin with it: what was refused is not carried out.
func TestErasureThatIsRefusedIsNotBegun(t *testing.T) {
	v := setup(t)
	id := v.store("kept@example.com", object{"email": "kept@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var hold struct{ ID string }
	v.post("/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	refusal := v.transaction()
	v.exec(refusal, `UPDATE legal_hold SET released_at = placed_at, released_by = 'olga' WHERE subject_id = $1`, id)
	v.exec(refusal, `SELECT FROM subject WHERE subject_id = $1 FOR UPDATE`, id)
	carried := make(chan error, 1)
	go func() { carried <- v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)) }()
	v.waitForLock(`subject`)
	v.exec(refusal, `UPDATE rights_request SET state = 'rejected', ground = 'legal_claims', closed_at = received_at, version = version + 1 WHERE request_id = $1`, r.ID)
	if err := refusal.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-carried; err != nil {
		t.Error(err)
	}
	if n := v.number(`SELECT count(*) FROM erasure`); n != 0 || v.number(`SELECT count(*) FROM subject WHERE erased_at IS NOT NULL`) != 0 {
		t.Error("the erasure has begun although it was refused")
	}
}

// Who asks for a part of their data to be erased while that is under way has that erased, too, which has come in between.
func TestErasureOfAPartThatIsJoinedIsCarriedOutAnew(t *testing.T) {
	v := setup(t)
	id := v.store("between@example.com", object{"email": "between@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	telling := v.transaction() // keeps it from being told, and so the first from being closed
	v.exec(telling, `LOCK TABLE processor IN ACCESS EXCLUSIVE MODE`)
	ask := func() (r rightsRequest) {
		a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}})
		a.into(t, &r)
		return r
	}
	names := func() int { return v.number(`SELECT count(*) FROM attribute_value WHERE sealed IS NOT NULL`) }
	first := ask()
	waitUntil(t, func() bool { return names() == 3 })
	v.call(http.MethodPatch, v.url+"/v1/subjects/"+id+"/attributes", v.steward(), object{"attributes": object{"given_name": "Ada again"}, "source": "crm"})
	if second := ask(); second.ID != first.ID || names() != 4 {
		t.Fatalf("%+v does not join, or %d values", second, names())
	}
	if err := telling.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := v.closed(first.ID); r.State != "completed" || names() != 3 {
		t.Errorf("%+v, and %d values", r, names())
	}
}

func (v *vault) transaction() pgx.Tx {
	v.t.Helper()
	tx, err := v.connect().Begin(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	return tx
}

func (v *vault) exec(tx pgx.Tx, sql string, args ...any) {
	v.t.Helper()
	if _, err := tx.Exec(v.t.Context(), sql, args...); err != nil {
		v.t.Fatal(err)
	}
}

// waitForLock waits until somebody waits for a table, or for a row of it.
func (v *vault) waitForLock(table string) {
	v.t.Helper()
	waitUntil(v.t, func() bool {
		return v.number(`SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND a.query ILIKE '%'||$1||'%'`, table) > 0
	})
}
