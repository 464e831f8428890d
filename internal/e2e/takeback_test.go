package e2e_test

import (
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
)

func mustExec(t testing.TB, db *pgx.Conn, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// What a request takes back is in force if and only if the request is on record: where it cannot be put on the ledger there is no request, and
// the call says so.
func TestLaw3NoRequestWithoutItsEffect(t *testing.T) {
	v := setup(t)
	id := v.store("whole@example.com", object{"email": "whole@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	db := v.connect()
	mustExec(t, db, `ALTER TABLE consent_record ADD CONSTRAINT broken CHECK (action NOT IN ('withdraw', 'object', 'restrict')) NOT VALID`)
	for _, kind := range []string{"withdrawal", "objection", "restriction"} {
		if a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), object{"type": kind}); a.status < 500 {
			t.Errorf("%s: %d %s", kind, a.status, a.body)
		}
	}
	var requests int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM rights_request`).Scan(&requests); err != nil || requests != 0 {
		t.Errorf("%d requests were taken up of which nothing is in force: %v", requests, err)
	}
	mustExec(t, db, `ALTER TABLE consent_record DROP CONSTRAINT broken`)
	if a := v.call(http.MethodPost, v.url+"/v1/me/requests", v.self(id), object{"type": "objection", "details": object{"purpose": "nope.nope"}}); a.code() != "unknown_purpose" {
		t.Errorf("an objection to nothing: %d %s", a.status, a.body)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM rights_request`).Scan(&requests); err != nil || requests != 0 {
		t.Errorf("%d requests about nothing: %v", requests, err)
	}
}

// A withdrawal is of its time: what is left to do afterwards, telling processors, may fail and be done later, and takes nothing back that was
// agreed to since.
func TestWithdrawalIsOfItsTime(t *testing.T) {
	v := setup(t)
	id := v.store("since@example.com", object{"email": "since@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	db := v.connect()
	mustExec(t, db, `ALTER TABLE processor RENAME TO processor_away`)
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "withdrawal"}, http.StatusCreated).into(t, &r)
	if r.State != "in_progress" {
		t.Errorf("while nobody can be told: %+v", r)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("once the call has returned: %+v", d)
	}
	v.consent(id, "marketing.sms", "grant")
	mustExec(t, db, `ALTER TABLE processor_away RENAME TO processor`)
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil {
		t.Error(err)
	}
	if r = v.closed(r.ID); r.State != "completed" {
		t.Errorf("in the end: %+v", r)
	}
	if d := v.disclose("marketing.sms", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] == "consent_withdrawn" {
		t.Errorf("what was agreed to since: %+v", d)
	}
	var withdrawn int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM consent_record WHERE action = 'withdraw'`).Scan(&withdrawn); err != nil || withdrawn != 1 {
		t.Errorf("%d withdrawals: %v", withdrawn, err)
	}
}
