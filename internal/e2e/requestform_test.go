package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
)

// behindAProxy has the vault believe where a test says that a request comes from.
func behindAProxy(c *node.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// anybody calls without a token, from a place.
func (v *vault) anybody(place, path string, body any) answer {
	v.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		v.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.url+path, strings.NewReader(string(text)))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", place)
	return v.do(request)
}

func form(kind, email string) object {
	return object{"type": kind, "identifier": object{"type": "email", "value": email}}
}

// verified stores somebody whose address is known to be theirs.
func (v *vault) verified(email string) string {
	v.t.Helper()
	var stored struct{ ID string }
	v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": email, "verified": true}}, "source": "test",
		"attributes": object{"email": email, "country": "DE", "birth_date": "1990-12-10"}}, http.StatusCreated).into(v.t, &stored)
	return stored.ID
}

// The answer to the form is the same whether the person is known or not, and what is done until it is given is the same down to the
// statements that the database gets: so neither what is said nor how long it takes tells who is known.
func TestFormTellsNobodyWhoIsKnown(t *testing.T) {
	var mu sync.Mutex
	var exported []*collector.ExportTraceServiceRequest
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		var batch collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(content, &batch); err == nil {
			mu.Lock()
			exported = append(exported, &batch)
			mu.Unlock()
		}
	}))
	t.Cleanup(sink.Close)
	bag := &postbag{}
	v := setupWith(t, behindAProxy, func(c *node.Config) { c.Confirming.Email, c.TraceURL = bag, sink.URL+"/v1/traces" })
	v.verified("known@example.com")
	v.anybody("203.0.113.1", "/v1/requests/form", form("erasure", "warm.up@example.com")) // statements are prepared, the policy is compiled
	for _, kind := range []string{"erasure", "access", "objection"} {
		var shapes []string
		for _, email := range []string{"known@example.com", "unknown@example.com"} {
			a := v.anybody("203.0.113.2", "/v1/requests/form", form(kind, email))
			var body struct {
				ID, State string
				DueAt     time.Time `json:"due_at"`
			}
			a.into(t, &body)
			in := time.Until(body.DueAt).Round(time.Minute)
			shapes = append(shapes, fmt.Sprint(a.status, body.State, in, len(body.ID), a.header.Get("Content-Type")))
		}
		if shapes[0] != shapes[1] || !strings.HasPrefix(shapes[0], "202verifying") {
			t.Errorf("%s: of who is known %s, of who is not %s", kind, shapes[0], shapes[1])
		}
	}
	bag.code(t, 3)

	var asked [][]string
	waitUntil(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		asked = statementsOf(exported, "POST /v1/requests/form")
		return len(asked) == 7
	})
	for i := 2; i < len(asked); i++ {
		if len(asked[i]) == 0 || !slices.Equal(asked[i], asked[1]) {
			t.Errorf("the statements of one request:\n%s\nof another:\n%s", strings.Join(asked[1], "\n"), strings.Join(asked[i], "\n"))
		}
	}
}

// statementsOf gives the statements of each request to a route, in the order in which the requests came.
func statementsOf(exported []*collector.ExportTraceServiceRequest, route string) [][]string {
	type span struct {
		at   uint64
		text string
	}
	roots, statements := map[string]uint64{}, map[string][]span{}
	for _, batch := range exported {
		for _, resource := range batch.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					id := string(s.GetTraceId())
					if s.GetName() == route {
						roots[id] = s.GetStartTimeUnixNano()
					}
					for _, attribute := range s.GetAttributes() {
						if attribute.GetKey() == "db.query.text" {
							statements[id] = append(statements[id], span{s.GetStartTimeUnixNano(), attribute.GetValue().GetStringValue()})
						}
					}
				}
			}
		}
	}
	var ids []string
	for id := range roots {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return int(int64(roots[a]) - int64(roots[b])) })
	all := make([][]string, len(ids))
	for i, id := range ids {
		slices.SortFunc(statements[id], func(a, b span) int { return int(int64(a.at) - int64(b.at)) })
		for _, s := range statements[id] {
			all[i] = append(all[i], s.text)
		}
	}
	return all
}

// What becomes of codes, over HTTP and without a token.
func TestCodesOfTheForm(t *testing.T) {
	time0, bag := &clock{}, &postbag{}
	v := setupWith(t, behindAProxy, time0.set, func(c *node.Config) { c.Confirming.Email = bag })
	sent := 0
	for i, c := range []struct {
		name string
		// do tries codes, given the right one, and gives the last answer.
		do     func(try func(code string) answer, code string) answer
		status int
		code   string
		state  string
	}{
		{"the right one", func(try func(string) answer, code string) answer { return try(code) }, 200, "", "completed"},
		{"a wrong one", func(try func(string) answer, _ string) answer { return try("00000000") }, 422, "code_invalid", "verifying"},
		{"a short one", func(try func(string) answer, code string) answer { return try(code[:7]) }, 422, "code_invalid", "verifying"},
		{"none", func(try func(string) answer, _ string) answer { return try("") }, 422, "proof_missing", "verifying"},
		{"the right one after four wrong ones", func(try func(string) answer, code string) answer {
			for range 4 {
				try("00000000")
			}
			return try(code)
		}, 200, "", "completed"},
		{"the right one after five wrong ones", func(try func(string) answer, code string) answer {
			for range 5 {
				try("00000000")
			}
			return try(code)
		}, 422, "code_invalid", "verifying"},
		{"the same again", func(try func(string) answer, code string) answer { try(code); return try(code) }, 422, "code_invalid", "completed"},
		{"just in time", func(try func(string) answer, code string) answer { time0.pass(9 * time.Minute); return try(code) }, 200, "", "completed"},
		{"too late", func(try func(string) answer, code string) answer { time0.pass(10 * time.Minute); return try(code) }, 422, "code_invalid", "verifying"},
	} {
		email, place := fmt.Sprintf("form-%d@example.com", i), fmt.Sprintf("203.0.113.%d", i+1)
		v.verified(email)
		var lodged rightsRequest
		v.anybody(place, "/v1/requests/form", form("withdrawal", email)).into(t, &lodged)
		sent++
		code := bag.code(t, sent)
		a := c.do(func(code string) answer {
			return v.anybody(place, "/v1/requests/form/"+lodged.ID+"/verify", object{"code": code})
		}, code)
		if a.status != c.status || a.code() != c.code {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		if r := v.requestOf(lodged.ID); r.State != c.state {
			t.Errorf("%s: the request is %s", c.name, r.State)
		}
		for where, text := range map[string]string{"logs": v.logs.String(), "database": string(v.dump())} {
			if strings.Contains(text, code) || strings.Contains(text, email) {
				t.Errorf("%s: the %s have the code or the address in clear", c.name, where)
			}
		}
	}
	if a := v.anybody("203.0.113.99", "/v1/requests/form/0192f0c1-a2b3-7c4d-8e5f-60718293a4b5/verify", object{"code": "00000000"}); a.code() != "code_invalid" {
		t.Errorf("a request that there is not: %d %s", a.status, a.body)
	}
}

// Who fills the form in, or guesses, again and again from one place is slowed down, and a person is not sent more than five codes a day by it, whoever
// asks from wherever; those that agents send are not among them.
func TestFormIsLimited(t *testing.T) {
	time0, bag := &clock{}, &postbag{}
	v := setupWith(t, behindAProxy, time0.set, func(c *node.Config) { c.Confirming.Email = bag })
	v.verified("flood@example.com")
	db := v.connect()
	var last answer
	for range 12 {
		last = v.anybody("198.51.100.7", "/v1/requests/form", form("access", "nobody@example.com"))
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" {
		t.Errorf("the twelfth from one place: %d %s", last.status, last.body)
	}
	for i := range 8 {
		var r rightsRequest
		a := v.anybody(fmt.Sprintf("198.51.100.%d", 100+i), "/v1/requests/form", form("access", "flood@example.com"))
		if a.into(t, &r); a.status != http.StatusAccepted || r.State != "verifying" {
			t.Errorf("%d: %d %s", i, a.status, a.body)
		}
		waitUntil(t, func() bool { // its job is done
			var done bool
			_ = db.QueryRow(t.Context(), `SELECT count(*) = 1 FROM rights_code WHERE request_id = $1`, r.ID).Scan(&done)
			return done
		})
	}
	bag.code(t, 5)
	var waiting int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM message`).Scan(&waiting); err != nil || waiting != 0 {
		t.Errorf("%d messages wait: %v", waiting, err)
	}
	bag.mu.Lock()
	if len(bag.sent) != 5 {
		t.Errorf("%d codes were sent", len(bag.sent))
	}
	bag.mu.Unlock()
	v.post("/v1/requests", v.agent(), object{"type": "access", "identifier": object{"type": "email", "value": "flood@example.com"}}, http.StatusCreated)
	if bag.code(t, 6) == "" {
		t.Error("a stranger has used up what agents may send")
	}
	for body, code := range map[string]string{
		`{"type":"erasure"}`: "invalid_request", `{"type":"rectification","identifier":{"type":"email","value":"a@example.com"},"details":{"text":"x"}}`: "invalid_request",
		`{"type":"erasure","identifier":{"type":"email","value":"no address"}}`: "invalid_identifier", `{"type":"everything","identifier":{"type":"email","value":"a@example.com"}}`: "invalid_request",
		`{"type":"access","purpose":"marketing.*","identifier":{"type":"email","value":"a@example.com"}}`: "purpose_not_asked_for",
	} {
		var any json.RawMessage = []byte(body)
		if a := v.anybody("198.51.100.200", "/v1/requests/form", any); a.status != 422 || strings.Contains(string(a.body), "no address") {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, code)
		}
	}
}

// A request of which nobody shows that the subject asks expires, once, with what it said; one that was identified does not. The policy can
// want an agent to look as well.
func TestUnverifiedRequestsExpire(t *testing.T) {
	time0, bag := &clock{}, &postbag{}
	v := setupWith(t, behindAProxy, time0.set, func(c *node.Config) { c.Confirming.Email = bag })
	v.enact("Look twice before withdrawing", `{"data":{"deadlines":{"handling":{"second_look":["withdrawal"]}}}}`)
	id := v.verified("expire@example.com")
	v.consent(id, "marketing.email", "grant")
	ask := func() (r rightsRequest) {
		v.anybody("203.0.113.1", "/v1/requests/form", form("withdrawal", "expire@example.com")).into(t, &r)
		return r
	}
	looked, forgotten := ask(), rightsRequest{}
	v.anybody("203.0.113.1", "/v1/requests/form/"+looked.ID+"/verify", object{"code": bag.code(t, 1)}).into(t, &looked)
	if r := v.requestOf(looked.ID); r.State != "verifying" || !r.SecondLook || r.IdentifiedBy != "code" {
		t.Errorf("with a code alone: %+v", r)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Attributes["email"] == nil {
		t.Errorf("it is in force without the second look: %+v", d)
	}
	v.post("/v1/requests", v.agent(), object{"type": "access", "identifier": object{"type": "email", "value": "expire@example.com"}, "details": object{"text": "all of it"}}, http.StatusCreated).into(t, &forgotten)
	bag.code(t, 2)
	time0.pass(13 * 24 * time.Hour)
	if err := v.node.Rights.Attend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := v.requestOf(forgotten.ID); r.State != "verifying" {
		t.Errorf("before its time: %+v", r)
	}

	time0.pass(2 * 24 * time.Hour)
	for range 2 {
		if err := v.node.Rights.Attend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if r := v.requestOf(forgotten.ID); r.State != "expired" {
		t.Errorf("forgotten: %+v", r)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+forgotten.ID+"/verify", v.token("other-desk", privacy.RoleAgent), object{"seen": "in_person"}); a.status != http.StatusConflict {
		t.Errorf("an expired request is taken up: %d %s", a.status, a.body)
	}
	var entries, details, codes int
	if err := v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM audit_entry WHERE action = 'request.expire'), (SELECT count(*) FROM rights_detail), (SELECT count(*) FROM rights_code WHERE request_id = $1)`, forgotten.ID).
		Scan(&entries, &details, &codes); err != nil || entries != 1 || details+codes != 0 {
		t.Errorf("%d entries, %d details and %d codes: %v", entries, details, codes, err)
	}

	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+looked.ID+"/verify", v.agent(), object{"seen": "call_back"}); a.status != http.StatusOK {
		t.Errorf("the second look: %d %s", a.status, a.body)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("after the second look: %+v", d)
	}
}

// Officers are reminded once for each of the times that the policy names, again after an extension, and of nothing that is done, or that anybody may
// have made up.
func TestOfficersAreReminded(t *testing.T) {
	time0 := &clock{}
	v := setupWith(t, behindAProxy, time0.set)
	id := v.store("remind@example.com", object{"email": "remind@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.post("/v1/me/requests", v.self(v.store("done@example.com", object{"country": "DE"})), object{"type": "restriction"}, http.StatusCreated) // is done
	if a := v.anybody("203.0.113.1", "/v1/requests/form", form("access", "remind@example.com")); a.status != http.StatusAccepted {             // by anybody at all
		t.Fatalf("the form: %d %s", a.status, a.body)
	}
	var r, joined rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"text": "it is all wrong"}}, http.StatusCreated).into(t, &r)
	v.post("/v1/me/requests", v.self(id), object{"type": "rectification", "details": object{"text": "and quickly"}}, http.StatusOK).into(t, &joined)
	if joined.ID != r.ID || !joined.Joined {
		t.Errorf("asked again: %+v", joined)
	}
	reminded := 0
	day := 24 * time.Hour
	for _, c := range []struct {
		name string
		at   func() time.Time
		want int
	}{
		{"eight days before", func() time.Time { return r.DueAt.Add(-8 * day) }, 0},
		{"within a week", func() time.Time { return r.DueAt.Add(-7*day + time.Minute) }, 1},
		{"still within a week", func() time.Time { return r.DueAt.Add(-3 * day) }, 1},
		{"two days before, extended", func() time.Time { return r.DueAt.Add(-2*day + time.Minute) }, 2},
		{"a week before the new date", func() time.Time {
			v.post("/v1/requests/"+r.ID+"/extend", v.officer(), object{"reason": "complexity"}, http.StatusOK).into(t, &r)
			return r.DueAt.Add(-6 * day)
		}, 3},
		{"on the day, after a long silence", func() time.Time { return r.DueAt.Add(time.Hour) }, 4},
		{"when it is late", func() time.Time { return r.DueAt.Add(9 * day) }, 4},
	} {
		time0.reach(c.at())
		for range 2 {
			if err := v.node.Rights.Attend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'request.remind'`); n != c.want {
			t.Errorf("%s: %d reminders, want %d", c.name, n, c.want)
		}
		waitUntil(t, func() bool {
			reminded = len(v.feed(v.officer(), privacy.EventRequestDueSoon))
			return reminded >= c.want
		})
		if reminded != c.want {
			t.Errorf("%s: officers are told of %d, want %d", c.name, reminded, c.want)
		}
	}
	var entries, details int
	if err := v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM audit_entry WHERE action = 'request.remind'), (SELECT count(*) FROM rights_detail)`).Scan(&entries, &details); err != nil || entries != 4 || details != 2 {
		t.Errorf("%d entries, %d details: %v", entries, details, err)
	}
}
