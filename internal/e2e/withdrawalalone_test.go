package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// A withdrawal that was taken up by a process that died is put in force by the next, even while the policy in force cannot be found: it needs none. That
// of somebody who was erased meanwhile ends.
func TestWithdrawalNeedsNoPolicy(t *testing.T) {
	v := setup(t)
	id := v.store("decided@example.com", object{"email": "decided@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	var r rightsRequest
	v.post("/v1/requests", v.agent(), object{"type": "withdrawal", "subject": object{"id": id}}, http.StatusCreated).into(t, &r)
	db := v.connect()
	sql(t, db, `UPDATE rights_request SET state = 'in_progress', identified_by = 'agent' WHERE request_id = $1`, r.ID)
	sql(t, db, `ALTER TABLE publication DROP CONSTRAINT publication_revision_id_fkey`)
	sql(t, db, `INSERT INTO publication (number, revision_id, published_by, published_at) SELECT max(number) + 1, $1, 'test', now() FROM publication`, strings.Repeat("f", 64))
	state := func() (state string) {
		t.Helper()
		if err := db.QueryRow(t.Context(), `SELECT state FROM rights_request WHERE request_id = $1`, r.ID).Scan(&state); err != nil {
			t.Fatal(err)
		}
		return state
	}
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil || state() != "completed" {
		t.Errorf("carried out without a policy: %s, %v", state(), err)
	}
	sql(t, db, `DELETE FROM publication WHERE revision_id = $1`, strings.Repeat("f", 64))
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("it is not in force: %+v", d)
	}

	v.consent(id, "marketing.email", "grant")
	v.post("/v1/requests", v.agent(), object{"type": "withdrawal", "subject": object{"id": id}}, http.StatusCreated).into(t, &r)
	var erasure rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &erasure)
	v.closed(erasure.ID)
	sql(t, db, `UPDATE rights_request SET state = 'in_progress', identified_by = 'agent' WHERE request_id = $1`, r.ID)
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(r.ID, id)); err != nil || state() != "completed" {
		t.Errorf("of somebody who was erased: %s, %v", state(), err)
	}
}
