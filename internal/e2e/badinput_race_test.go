package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// atOnce runs a call many times, as nearly at the same moment as can be.
func atOnce(n int, call func(i int) answer) []answer {
	answers, start := make([]answer, n), make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			answers[i] = call(i)
		})
	}
	close(start)
	running.Wait()
	return answers
}

// Two nodes are sent the same new person at once: there is one subject, everybody is given its id, and one is
// told to have created it.
func TestBadInputSamePersonAtOnce(t *testing.T) {
	v := setup(t)
	_, second := v.start()
	urls := []string{v.url, second}
	for round := range 5 {
		email := fmt.Sprintf("twin%d@example.com", round)
		answers := atOnce(24, func(i int) answer {
			identifiers := []object{{"type": "email", "value": email}, {"type": "customer_number", "value": fmt.Sprintf("T-%d", round)}}
			if i%3 == 0 {
				slices.Reverse(identifiers)
			}
			return v.call(http.MethodPost, urls[i%2]+"/v1/subjects", v.steward(), object{"identifiers": identifiers, "attributes": object{"visits_month": i}, "source": "test"})
		})
		ids, created := make(map[string]bool), 0
		for _, a := range answers {
			var stored struct {
				ID      string
				Created bool
			}
			a.into(t, &stored)
			if a.status != map[bool]int{true: http.StatusCreated, false: http.StatusOK}[stored.Created] {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			ids[stored.ID] = true
			if stored.Created {
				created++
			}
		}
		if len(ids) != 1 || created != 1 {
			t.Errorf("%d subjects, %d created", len(ids), created)
		}
	}
	var subjects, identifiers, versions int
	err := v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM subject), (SELECT count(*) FROM subject_identifier), (SELECT sum(version) FROM attribute_value)`).Scan(&subjects, &identifiers, &versions)
	if err != nil || subjects != 5 || identifiers != 10 || versions != 5*24 {
		t.Errorf("%d subjects, %d identifiers, %d versions of values: %v", subjects, identifiers, versions, err)
	}
}

// An Idempotency-Key makes a write happen once: a repeat gets the first answer, another request is refused.
func TestBadInputIdempotencyKeys(t *testing.T) {
	v := setup(t)
	_, second := v.start()
	urls := []string{v.url, second}
	id, _ := v.permitted("once@example.com")
	send := func(node int, key, method, path, body string) answer {
		request, err := http.NewRequestWithContext(t.Context(), method, urls[node%2]+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+v.steward())
		request.Header.Set("Content-Type", "application/json")
		request.Header["Idempotency-Key"] = []string{key}
		return v.do(request)
	}
	for name, c := range map[string]struct {
		method, path string
		body, other  string
		status       int
	}{
		"consent": {"POST", "/v1/consents", `{"subject":{"id":"` + id + `"},"purpose":"marketing.sms","action":"grant"}`, `{"subject":{"id":"` + id + `"},"purpose":"marketing.sms","action":"deny"}`, 201},
		"change":  {"PATCH", "/v1/subjects/" + id + "/attributes", `{"attributes":{"city":"Berlin"},"source":"test"}`, `{"attributes":{"city":"Bonn"},"source":"test"}`, 200},
		"profile": {"POST", "/v1/subjects", `{"identifiers":[{"type":"email","value":"fresh@example.com"}],"source":"test"}`, `{"identifiers":[{"type":"email","value":"other@example.com"}],"source":"test"}`, 201},
	} {
		t.Run(name, func(t *testing.T) {
			first := send(0, name, c.method, c.path, c.body)
			if first.status != c.status {
				t.Fatalf("status %d: %s", first.status, first.body)
			}
			before := v.rows(t)
			again := send(1, name, c.method, c.path, c.body)
			if again.status != first.status || string(again.body) != string(first.body) {
				t.Errorf("repeated: status %d: %s, first %s", again.status, again.body, first.body)
			}
			v.wantProblem(t, send(1, name, c.method, c.path, c.other), http.StatusConflict, "idempotency_key_reused")
			if after := v.rows(t); after != before {
				t.Errorf("a repeat wrote: %s, before %s", after, before)
			}
			if a := send(0, name+"-2", c.method, c.path, c.other); a.status >= 300 {
				t.Errorf("another key: status %d: %s", a.status, a.body)
			}
			answers := atOnce(16, func(i int) answer { return send(i, name+"-3", c.method, c.path, c.body) })
			for _, a := range answers {
				if a.status != answers[0].status || string(a.body) != string(answers[0].body) {
					t.Errorf("at once: status %d: %s, another %d: %s", a.status, a.body, answers[0].status, answers[0].body)
				}
			}
		})
	}
	// A key that failed is free again; a key may be no text that a database or a log cannot hold.
	if a := send(0, "retry", "POST", "/v1/consents", `{"subject":{"id":"`+nobody+`"},"purpose":"marketing.sms","action":"grant"}`); a.status != http.StatusNotFound {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	if a := send(0, "retry", "POST", "/v1/consents", `{"subject":{"id":"`+id+`"},"purpose":"marketing.sms","action":"grant"}`); a.status != http.StatusCreated {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	for _, key := range []string{marker + "\xff", marker + " x", marker + "é", marker + fmt.Sprintf("%0200d", 1)} {
		v.wantProblem(t, send(0, key, "POST", "/v1/consents", `{"subject":{"id":"`+id+`"},"purpose":"marketing.sms","action":"grant"}`), http.StatusUnprocessableEntity, "invalid_request")
	}
}

// Changes of one subject at once are all made, one after the other: none is reported and lost.
func TestBadInputChangesAtOnce(t *testing.T) {
	v := setup(t)
	_, second := v.start()
	urls := []string{v.url, second}
	id := v.store("patch@example.com", object{"email": "patch@example.com", "country": "DE", "birth_date": "1990-12-10", "city": "Start"})
	names := []string{"city", "visits_month", "occupation", "city"}
	answers := atOnce(32, func(i int) answer {
		var value any = fmt.Sprintf("Value %d", i)
		if names[i%4] == "visits_month" {
			value = i
		}
		return v.call(http.MethodPatch, urls[i%2]+"/v1/subjects/"+id+"/attributes", v.steward(), object{"attributes": object{names[i%4]: value}, "source": "test"})
	})
	for i, a := range answers {
		if a.status != http.StatusOK || string(a.body) != `{"updated":["`+names[i%4]+"\"]}\n" {
			t.Errorf("change %d: status %d: %s", i, a.status, a.body)
		}
	}
	versions := make(map[int]int)
	rows, err := v.connect().Query(t.Context(), `SELECT attribute_id, version FROM attribute_value`)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for rows.Next() {
		var attribute, version int
		if err := rows.Scan(&attribute, &version); err != nil {
			t.Fatal(err)
		}
		versions[attribute] = version
		total += version
	}
	if total != 4+32 {
		t.Errorf("%d versions in all, want 36: %v", total, versions)
	}
}
