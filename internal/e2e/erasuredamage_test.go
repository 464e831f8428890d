package e2e_test

import (
	"net/http"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// Part of somebody's data is erased, backups included, although something of them does not open.
func TestErasureOfAPartBesideDamage(t *testing.T) {
	v := setup(t)
	id := v.store("broken@example.com", object{"email": "broken@example.com", "given_name": "Ada", "gender": "female", "country": "DE", "birth_date": "1990-12-10"})
	db := v.connect()
	sql(t, db, `UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = $1`, id)
	sql(t, db, `UPDATE attribute_value SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE subject_id = $1`, id)
	sql(t, db, `UPDATE subject_identifier SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE subject_id = $1`, id)
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}, http.StatusCreated).into(t, &r)
	if r = v.closed(r.ID); r.State != "completed" || v.number(`SELECT count(*) FROM attribute_value WHERE sealed IS NOT NULL`) != 4 || v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NOT NULL`) != 1 {
		t.Errorf("the part: %+v", r)
	}
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	if r = v.closed(r.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("the whole: %+v", r)
	}
}

// Nobody is certified to be erased while a key is there that they have had before: backups open under it.
func TestErasureTakesEveryKeyAway(t *testing.T) {
	v := setup(t)
	id := v.store("rekeyed@example.com", object{"email": "rekeyed@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var spent privacy.KeySlot
	if err := v.connect().QueryRow(t.Context(), `INSERT INTO spent_slot (subject_id, request_id, key_slot, at) SELECT subject_id, gen_random_uuid(), nextval('subject_key_slot'), created_at FROM subject RETURNING key_slot`).Scan(&spent); err != nil {
		t.Fatal(err)
	}
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		t.Fatal(err)
	}
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	v.closed(r.ID)
	keys, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	if _, err := keys.Subject(t.Context(), subject, spent); err == nil || v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NULL`) != 0 {
		t.Errorf("the key before is still there: %v", err)
	}
}

// A backup knows of an erasure that was refused after it, and not of the one that was carried out later.
func TestRestoreCheckBesideAnOpenErasure(t *testing.T) {
	v := setup(t)
	id := v.store("asked.twice@example.com", object{"email": "asked.twice@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var hold struct{ ID string }
	v.post("/v1/subjects/"+id+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	var first, second rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &first)
	dump := v.dump()
	v.post("/v1/requests/"+first.ID+"/reject", v.officer(), object{"ground": "legal_claims"}, http.StatusOK)
	v.post("/v1/subjects/"+id+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &second)
	v.closed(second.ID)
	restored := &vault{t: t, database: restore(t, dump), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	if report := restored.checkRestored(); report.Repeated != 1 {
		t.Errorf("the check: %+v", report)
	}
	restored.node, restored.url = restored.start()
	if r := restored.closed(second.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("the second: %+v", r)
	}
	if r := restored.requestOf(first.ID); r.State != "completed" || r.JoinedTo != second.ID {
		t.Errorf("the first: %+v", r)
	}
}

// Part of somebody's data was erased, backups included, after a backup that is restored. They are not erased: what the backup has of them opens no more
// and goes, while what they have decided stays, and they can be stored again.
func TestRestoreCheckOfWhoWasRekeyed(t *testing.T) {
	v := setup(t)
	give := func(on *vault, status int) (id string) {
		var stored struct{ ID string }
		on.post("/v1/subjects", on.steward(), object{"identifiers": []object{{"type": "email", "value": "older@example.com"}}, "source": "shop",
			"attributes": object{"email": "older@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"}}, status).into(t, &stored)
		return stored.ID
	}
	id := give(v, http.StatusCreated)
	v.consent(id, "marketing.email", "grant")
	v.post("/v1/subjects/"+id+"/signals", v.agent(), object{"gpc": true}, http.StatusCreated)
	dump := v.dump()
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}, http.StatusCreated).into(t, &r)
	v.closed(r.ID)

	restored := &vault{t: t, database: restore(t, dump), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	if report := restored.checkRestored(); report.KeysGone != 1 || report.Repeated != 0 || report.Suppressed != 0 {
		t.Errorf("the check: %+v", report)
	}
	if again := restored.checkRestored(); again.KeysGone != 0 {
		t.Errorf("a second check: %+v", again)
	}
	if n := restored.number(`SELECT count(*) FROM attribute_value`); n != 0 {
		t.Errorf("%d values are left", n)
	}
	restored.node, restored.url = restored.start()
	if d := restored.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; len(d.Attributes) > 0 || d.Withheld["email"] == "erased" {
		t.Errorf("before they are stored again: %+v", d)
	}
	restored.get("/v1/me/profile", restored.self(id))
	// Their signal is in force, but nobody knows any more how it was put: it is received anew, and what they take away lists both.
	restored.post("/v1/subjects/"+id+"/signals", restored.agent(), object{"gpc": true}, http.StatusCreated)
	if data, _ := restored.takeAway(restored.askFor("access", id), id); len(data.Signals) != 2 || data.Signals[0].Value == "" || data.Signals[1].Value != "" || len(data.Signals[1].Effects) != 1 {
		t.Errorf("the signals that they take away: %+v", data.Signals)
	}
	if again := give(restored, http.StatusOK); again != id {
		t.Errorf("stored again as %s", again)
	}
	if d := restored.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Attributes["email"] != "older@example.com" {
		t.Errorf("stored again: %+v", d)
	}
	restored.post("/v1/me/requests", restored.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	if r = restored.closed(r.ID); !r.Certificate {
		t.Errorf("erased: %+v", r)
	}
}
