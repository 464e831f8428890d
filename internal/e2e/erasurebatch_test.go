package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/consentry/consentry/internal/rights"
)

type batched struct {
	Subject, Problem string
	Lodged           rightsRequest
}

func (v *vault) eraseBatch(ids ...string) (became []batched) {
	v.t.Helper()
	var answer struct{ Requests []batched }
	v.post("/v1/requests/batch", v.officer(), object{"type": "erasure", "ground": "no_longer_necessary", "subjects": ids}, http.StatusOK).into(v.t, &answer)
	return answer.Requests
}

// Many people whom the law wants erased: each has a request and a certificate of their own, those of a page cost one change of it, and
// who is held, unknown, erased before or named twice is told beside the others.
func TestErasureOfMany(t *testing.T) {
	v := setup(t)
	const people = 260 // more than one transaction takes
	v.importNamed("many", people)
	ids := v.subjectIDs()
	if len(ids) != people {
		t.Fatalf("%d people", len(ids))
	}
	held, gone, before := ids[0], "01890000-0000-7000-8000-000000000000", ids[1]
	var hold struct{ ID string }
	v.post("/v1/subjects/"+held+"/holds", v.officer(), object{"ground": "legal_claims"}, http.StatusCreated).into(t, &hold)
	var earlier rightsRequest
	v.post("/v1/me/requests", v.self(before), object{"type": "erasure"}, http.StatusCreated).into(t, &earlier)
	v.closed(earlier.ID)

	became := v.eraseBatch(append([]string{gone, before, ids[2]}, ids...)...)
	if became[0].Problem != "subject_not_found" || became[0].Lodged.ID != "" {
		t.Errorf("somebody unknown: %+v", became[0])
	}
	if became[1].Lodged.ID != earlier.ID || !became[1].Lodged.Joined || became[1].Lodged.State != "completed" {
		t.Errorf("somebody erased before: %+v", became[1])
	}
	if became[2].Lodged.ID == "" || became[2].Lodged.ID != became[3+2].Lodged.ID {
		t.Errorf("somebody named twice: %+v, %+v", became[2], became[3+2])
	}
	keys := v.trusted()
	for i, one := range became[3:] {
		if one.Subject != ids[i] || one.Problem != "" || one.Lodged.ID == "" {
			t.Fatalf("subject %d: %+v", i, one)
		}
		if one.Subject == held {
			continue
		}
		if r := v.closed(one.Lodged.ID); r.State != "completed" || !r.Certificate || one.Subject != before && (r.IdentifiedBy != "law" || r.Ground != "no_longer_necessary") {
			t.Fatalf("subject %d: %+v", i, r)
		}
		var answer struct{ Certificate string }
		v.get("/v1/requests/"+one.Lodged.ID+"/certificate", v.officer()).into(t, &answer)
		certificate, err := rights.VerifyCertificate(answer.Certificate, keys)
		if err != nil || certificate.Subject.String() != one.Subject || certificate.Request.String() != one.Lodged.ID {
			t.Fatalf("subject %d: %+v: %v", i, certificate, err)
		}
	}
	var waiting rightsRequest
	v.get("/v1/requests/"+became[3].Lodged.ID, v.officer()).into(t, &waiting)
	if d := v.disclose("marketing.email", []string{"email"}, held).Disclosures[0]; waiting.State != "in_progress" || d.Withheld["email"] == "erased" {
		t.Errorf("who is held: %+v, %+v", waiting, d)
	}

	db := v.connect()
	var writes, entries int
	if err := db.QueryRow(t.Context(), `SELECT count(DISTINCT page_version) FROM erasure`).Scan(&writes); err != nil || writes > 3 {
		t.Errorf("the key page was changed %d times: %v", writes, err)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'erasure.execute'`).Scan(&entries); err != nil || entries != people-1 {
		t.Errorf("%d entries tell of an erasure: %v", entries, err)
	}

	// Sent again, it joins what there was.
	for i, one := range v.eraseBatch(ids...) {
		if one.Lodged.ID != became[3+i].Lodged.ID || !one.Lodged.Joined {
			t.Errorf("sent again, subject %d: %+v", i, one)
		}
	}
	v.post("/v1/subjects/"+held+"/holds/"+hold.ID+"/release", v.officer(), object{}, http.StatusOK)
	if r := v.closed(became[3].Lodged.ID); r.State != "completed" {
		t.Errorf("released: %+v", r)
	}
	for name, a := range map[string]answer{
		"an agent":       v.call(http.MethodPost, v.url+"/v1/requests/batch", v.agent(), object{"type": "erasure", "ground": "objected", "subjects": ids[:1]}),
		"no such ground": v.call(http.MethodPost, v.url+"/v1/requests/batch", v.officer(), object{"type": "erasure", "ground": "because", "subjects": ids[:1]}),
		"nobody":         v.call(http.MethodPost, v.url+"/v1/requests/batch", v.officer(), object{"type": "erasure", "ground": "objected", "subjects": []string{}}),
	} {
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusUnprocessableEntity}[name == "an agent"]; a.status != want {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// A chunk that the database does not take is told beside those whose erasure goes on. Those of whom something is damaged are erased like all
// others, and do not come back unnoticed.
func TestErasureOfManyBesideFailures(t *testing.T) {
	v := setup(t)
	const people = 252 // two transactions, the second of two people
	v.importNamed("beside", people)
	ids := v.subjectIDs()
	db := v.connect()
	state, email, last := ids[0], ids[1], ids[people-1]
	sql(t, db, `UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = $1`, state)
	sql(t, db, `UPDATE subject_identifier SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE subject_id = $1`, email)
	sql(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'`)
	sql(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON rights_request FOR EACH ROW WHEN (NEW.subject_id = '`+last+`') EXECUTE FUNCTION refuse()`)
	problems := map[string]int{}
	for _, one := range v.eraseBatch(ids...) {
		problems[one.Problem]++
		if damaged := one.Subject == state || one.Subject == email; damaged && one.Problem != "" || (one.Problem == "") != (one.Lodged.ID != "") {
			t.Errorf("%+v", one)
		}
		if one.Problem == "" {
			v.closed(one.Lodged.ID)
		}
		if one.Subject == last && one.Problem == "" {
			t.Error("who was refused is said to be taken up")
		}
	}
	if problems[""] != 250 || len(problems) != 2 {
		t.Errorf("what became of them: %v", problems)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "beside-1@example.com"}}, "source": "test"}); a.code() != "erased_before" {
		t.Errorf("whose identifier was damaged comes back: %d %s", a.status, a.body)
	}
	v.post("/v1/subjects/readmissions", v.agent(), object{"identifiers": []object{{"type": "email", "value": "beside-1@example.com"}}}, http.StatusOK)
	v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "beside-1@example.com"}}, "source": "test"}, http.StatusCreated)
	// Once the reason is gone, asking again takes the rest up.
	sql(t, db, `DROP TRIGGER refuse ON rights_request`)
	if again := v.eraseBatch(last); again[0].Lodged.ID == "" {
		t.Errorf("asked again: %+v", again)
	}
}

// importNamed imports people with the least there is to them.
func (v *vault) importNamed(prefix string, people int) {
	v.t.Helper()
	var lines []byte
	for i := range people {
		lines = fmt.Appendf(lines, `{"identifiers":[{"type":"email","value":"%[1]s-%[2]d@example.com"}],"source":"test","attributes":{"email":"%[1]s-%[2]d@example.com","given_name":"Ada","country":"DE","birth_date":"1990-12-10"}}`+"\n", prefix, i)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), string(lines)); a.status != http.StatusOK {
		v.t.Fatalf("import: %d %.300s", a.status, a.body)
	}
}

// subjectIDs lists everybody.
func (v *vault) subjectIDs() (ids []string) {
	v.t.Helper()
	rows, err := v.connect().Query(v.t.Context(), `SELECT subject_id::text FROM subject ORDER BY key_slot`)
	if err != nil {
		v.t.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			v.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}
