package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// said is what a request says in one place.
type said struct {
	Text       string
	Attributes map[string]any
	Corrected  []string
}

// details reads what a request says in detail.
func (v *vault) details(request string) (details []said) {
	v.t.Helper()
	var answer struct{ Details []said }
	v.get("/v1/requests/"+request+"/details", v.officer()).into(v.t, &answer)
	return answer.Details
}

// profile reads the values that are held of somebody.
func (v *vault) profile(id string) map[string]any {
	v.t.Helper()
	var profile struct {
		Attributes []struct {
			Name  string
			Value any
		}
	}
	v.get("/v1/me/profile", v.self(id)).into(v.t, &profile)
	held := make(map[string]any)
	for _, a := range profile.Attributes {
		held[a.Name] = a.Value
	}
	return held
}

// erasePart has some attributes of somebody erased.
func (v *vault) erasePart(id string, attributes ...string) {
	v.t.Helper()
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": attributes}}}, http.StatusCreated).into(v.t, &r)
	if r = v.closed(r.ID); r.State != "completed" {
		v.t.Fatalf("the erasure of a part: %+v", r)
	}
}

// A correction was read, and is about to be written, when the person has some of it erased. What they wanted gone does not come back, and the rest is put
// right: by themselves, or by an officer, who is told to look again.
func TestErasureOfAPartBesideItsCorrection(t *testing.T) {
	for name, c := range map[string]struct {
		right   object
		officer bool
		held    map[string]any
	}{
		"by their own word": {right: object{"given_name": "Adele", "family_name": "Byron"}, held: map[string]any{"family_name": "Byron"}},
		"by an officer":     {right: object{"given_name": "Adele", "birth_date": "1991-12-10"}, officer: true, held: map[string]any{"family_name": "King", "birth_date": "1991-12-10"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heldUp{at: "correction_read"}
			v := setupWith(t, h.set)
			id := v.store("both@example.com", object{"email": "both@example.com", "given_name": "Ada", "family_name": "King", "country": "DE", "birth_date": "1990-12-10"})
			var r rightsRequest
			v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": c.right}}, http.StatusCreated).into(t, &r)
			complete := func() answer {
				return v.call(http.MethodPost, v.url+"/v1/requests/"+r.ID+"/complete", v.officer(), object{})
			}
			completed := make(chan answer, 1)
			if c.officer {
				go func() { completed <- complete() }()
			}
			<-h.reached
			v.erasePart(id, "given_name")
			h.goOn()
			if c.officer {
				if a := <-completed; a.code() != "request_joined" {
					t.Errorf("the officer, who has not seen what it says now: %d %s", a.status, a.body)
				}
				if a := complete(); a.status != http.StatusOK {
					t.Errorf("the officer, who has: %d %s", a.status, a.body)
				}
			}
			if r = v.closed(r.ID); r.State != "completed" {
				t.Errorf("the correction: %+v", r)
			}
			held := v.profile(id)
			for attribute, want := range c.held {
				if held[attribute] != want {
					t.Errorf("%s is %v", attribute, held[attribute])
				}
			}
			if value, back := held["given_name"]; back {
				t.Errorf("what was erased is back: %v", value)
			}
			if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'attributes.update' AND object = 'request/' || $1`, r.ID); n != 1 {
				t.Errorf("it was written %d times", n)
			}
		})
	}
}

// Somebody asks for more to be put right while a process is about to write what they have asked for, or has written it and told nobody yet: all of it is put
// right, and those who had the old values are told of all, once.
func TestCorrectionThatIsJoinedIsCarriedOutAnew(t *testing.T) {
	for point, written := range map[string]int{"correction_read": 1, "corrected": 2} {
		t.Run(point, func(t *testing.T) {
			h := &heldUp{at: point}
			v := setupWith(t, soon, h.set)
			crm := v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"marketing.*"}})
			id := v.store("more@example.com", object{"email": "more@example.com", "given_name": "Ada", "family_name": "King", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")
			v.disclose("marketing.email", []string{"given_name", "family_name"}, id)
			ask := func(right object, status int) (r rightsRequest) {
				v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": right}}, status).into(t, &r)
				return r
			}
			first := ask(object{"given_name": "Augusta"}, http.StatusCreated)
			<-h.reached
			if second := ask(object{"family_name": "Byron"}, http.StatusOK); second.ID != first.ID {
				t.Fatalf("it has not joined: %+v", second)
			}
			h.goOn()
			c := crm.told("subject.rectified").message.Data
			if len(c.Attributes) != 2 || len(c.Rectified) != 1 || string(c.Rectified[0].Attributes["given_name"]) != `"Augusta"` || string(c.Rectified[0].Attributes["family_name"]) != `"Byron"` {
				t.Errorf("told is %+v", c)
			}
			if r := v.requestOf(first.ID); r.State != "awaiting_processors" {
				t.Errorf("the request: %+v", r)
			}
			if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'attributes.update' AND object = 'request/' || $1`, first.ID); n != written {
				t.Errorf("it was written %d times", n)
			}
		})
	}
}

// A request waits to join another while some of what it says is erased: what is gone from it is not handed on.
func TestWhatWasErasedIsNotHandedOn(t *testing.T) {
	v := setup(t)
	id := v.store("handed@example.com", object{"email": "handed@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	var open, late rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"birth_date": "1991-12-10"}}}, http.StatusCreated).into(t, &open)
	v.post("/v1/requests", v.agent(), object{"type": "rectification", "subject": object{"id": id}, "details": object{"attributes": object{"given_name": "Adele"}}}, http.StatusCreated).into(t, &late)
	erasing := v.transaction()
	v.exec(erasing, `SELECT FROM subject WHERE subject_id = $1 FOR UPDATE`, id)
	verified := make(chan answer, 1)
	go func() {
		verified <- v.call(http.MethodPost, v.url+"/v1/requests/"+late.ID+"/verify", v.token("other-desk", "agent"), object{"seen": "in_person"})
	}()
	v.waitForLock("subject")
	v.exec(erasing, `DELETE FROM rights_detail WHERE request_id = $1`, late.ID)
	if err := erasing.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := <-verified; a.status != http.StatusOK {
		t.Fatalf("verified: %d %s", a.status, a.body)
	}
	if r := v.requestOf(late.ID); r.JoinedTo != open.ID {
		t.Fatalf("it has not joined: %+v", r)
	}
	if d := v.details(open.ID); len(d) != 1 || d[0].Attributes["given_name"] != nil {
		t.Errorf("the open request says %+v", d)
	}
}

// An officer has completed a correction that needed them, and the process dies before those who had the old values are told. Whoever starts next tells
// them, once, writes nothing again, and closes the request.
func TestCorrectionByAnOfficerSurvivesAKill(t *testing.T) {
	v := setupWith(t, soon)
	crm := v.downstream(always(http.StatusOK), object{"name": "CRM", "client": "crm-mailer", "purposes": []string{"marketing.*"}})
	id := v.store("looked.at@example.com", object{"email": "looked.at@example.com", "country": "DE", "birth_date": "1990-12-10", "orders_total": 3})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"orders_total"}, id)
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"orders_total": 4}}}, http.StatusCreated)
	request := v.onlyRequest()
	if err := v.node.Close(t.Context()); err != nil { // so that it is the other process that goes on
		t.Fatal(err)
	}
	v.doom(doomedProcess{Point: "corrected", Completed: request})
	if n := v.number(`SELECT count(*) FROM rights_request WHERE state = 'in_progress' AND effected >= joins`); n != 1 || v.number(`SELECT count(*) FROM rights_recipient`) != 0 {
		t.Fatal("it was not killed between writing and telling")
	}

	next := &vault{t: t, database: v.database, keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client, adjust: v.adjust}
	next.node, next.url = next.start()
	c := crm.told("subject.rectified").message.Data
	if c.Request != request.String() || len(c.Rectified) != 1 || string(c.Rectified[0].Attributes["orders_total"]) != "4" {
		t.Errorf("told is %+v", c)
	}
	waitUntil(t, func() bool { return next.requestOf(request.String()).State == "awaiting_processors" })
	if a := next.acknowledge(crm, callback{body: naming(request.String()), at: time.Now()}); a.status != http.StatusOK {
		t.Errorf("the call-back: %d %s", a.status, a.body)
	}
	if r := next.closed(request.String()); r.State != "completed" || len(r.Processors) != 1 {
		t.Errorf("the request: %+v", r)
	}
	for action, want := range map[string]int{"attributes.update": 1, "request.rectify": 1, "request.tell": 1, "request.complete": 1} {
		if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = $1 AND object = 'request/' || $2`, action, request.String()); n != want {
			t.Errorf("%d entries %s", n, action)
		}
	}
	if held := next.profile(id); held["orders_total"] != 4.0 {
		t.Errorf("held is %v", held)
	}
}

// What was put right lies in the profile, and no more in the request that asked for it, nor in one that has joined it: they say which attributes it was. What
// was said in words stays, and so do values that were refused.
func TestRequestForgetsTheValuesItWrote(t *testing.T) {
	v := setup(t)
	id := v.store("forgets@example.com", object{"email": "forgets@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	var both [2]rightsRequest
	for i, right := range []object{{"birth_date": "1991-01-01"}, {"given_name": "Adelheid", "gender": nil}} {
		v.post("/v1/requests", v.agent(), object{"type": "rectification", "subject": object{"id": id}, "details": object{"attributes": right, "text": "see my card"}}, http.StatusCreated).into(t, &both[i])
	}
	for i := range both {
		v.post("/v1/requests/"+both[i].ID+"/verify", v.token("other-desk", "agent"), object{"seen": "in_person"}, http.StatusOK)
	}
	if d := v.details(both[0].ID); len(d) != 2 || d[0].Attributes["birth_date"] != "1991-01-01" || d[1].Attributes["given_name"] != "Adelheid" {
		t.Fatalf("before anybody has looked: %+v", d)
	}
	v.post("/v1/requests/"+both[0].ID+"/complete", v.officer(), object{}, http.StatusOK)
	wrote, refused := v.details(both[0].ID), rightsRequest{}
	if len(wrote) != 2 || !slices.Equal(wrote[0].Corrected, []string{"birth_date"}) || !slices.Equal(wrote[1].Corrected, []string{"gender", "given_name"}) || wrote[0].Text != "see my card" {
		t.Errorf("what the request says: %+v", wrote)
	}
	if joined := v.details(both[1].ID); len(joined) != 1 || len(joined[0].Attributes) > 0 || len(joined[0].Corrected) != 2 {
		t.Errorf("what the one says that has joined it: %+v", joined)
	}
	if held := v.profile(id); held["birth_date"] != "1991-01-01" || held["given_name"] != "Adelheid" {
		t.Errorf("held is %v", held)
	}
	// What they take away says it in the same way.
	if _, files := v.takeAway(v.askFor("access", id), id); strings.Count(files["data.json"], "Adelheid") != 1 || !strings.Contains(files["data.json"], `"corrected"`) {
		t.Errorf("what they take away: %s", files["data.json"])
	}

	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"birth_date": "2001-01-01"}}}, http.StatusCreated).into(t, &refused)
	v.post("/v1/requests/"+refused.ID+"/reject", v.officer(), object{"ground": "unfounded_or_excessive"}, http.StatusOK)
	if d := v.details(refused.ID); len(d) != 1 || d[0].Attributes["birth_date"] != "2001-01-01" {
		t.Errorf("what the refused one says: %+v", d)
	}
}

// Somebody has asked for values, and somebody else for the same person has said in words what is wrong: an officer reads it before the request is closed.
func TestWordsAreReadBeforeACorrectionIsClosed(t *testing.T) {
	v := setup(t)
	id := v.store("in.words@example.com", object{"email": "in.words@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	var words, values rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"text": "I never ordered that"}}, http.StatusCreated).into(t, &words)
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"attributes": object{"given_name": "Adele"}}}, http.StatusOK).into(t, &values)
	if values.ID != words.ID {
		t.Fatalf("it has not joined: %+v", values)
	}
	if err := v.node.Rights.CarryOut(t.Context(), v.ref(words.ID, id)); err != nil {
		t.Fatal(err)
	}
	if r := v.requestOf(words.ID); r.State != "in_progress" {
		t.Errorf("nobody has read it, and it is %+v", r)
	}
	v.post("/v1/requests/"+words.ID+"/complete", v.officer(), object{}, http.StatusOK)
	if r, held := v.requestOf(words.ID), v.profile(id); r.State != "completed" || held["given_name"] != "Adele" {
		t.Errorf("completed: %+v, %v", r, held)
	}
}
