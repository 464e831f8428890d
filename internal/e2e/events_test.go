package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/webhook"
	"github.com/consentry/consentry/schemas"
)

// soon makes back-offs so short that a test sees many of them.
func soon(config *node.Config) {
	config.Webhooks = webhook.Config{Private: true, Plain: true}
	config.Events = events.Pace{RetryFirst: 20 * time.Millisecond, RetryMost: 200 * time.Millisecond, EventFirst: 20 * time.Millisecond, EventMost: 100 * time.Millisecond,
		Refusals: 3, LateBy: 2 * time.Second}
}

// call is one event as a receiver got it.
type call struct {
	id      string
	header  http.Header
	body    []byte
	message events.Message
	at      time.Time
}

// receiver is a processor's side: it verifies what comes, answers as it is told to, and keeps what it accepted.
type receiver struct {
	t        testing.TB
	url      string
	id       string // the processor's
	client   string // as which it asks for data; "" when it does not
	verifier *standardwebhooks.Webhook
	ahead    bool // of the system's clock: the vault has another, so the timestamp says nothing
	schema   *jsonschema.Schema

	mu       sync.Mutex
	answer   func(call) int // 0 breaks the connection
	accepted []call
	attempts int
	grown    chan struct{} // holds one signal that there is something new
}

// receive starts a receiver and registers it for purposes.
func (v *vault) receive(answer func(call) int, purposes ...string) *receiver {
	v.t.Helper()
	return v.receiveAs("", answer, purposes...)
}

// receiveAs is receive for a processor that asks for data as a client.
func (v *vault) receiveAs(client string, answer func(call) int, purposes ...string) *receiver {
	v.t.Helper()
	r := newReceiver(v.t, answer)
	r.client = client
	server := httptest.NewServer(r)
	v.t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	r.register(v, purposes...)
	return r
}

func newReceiver(t testing.TB, answer func(call) int) *receiver {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	text, err := fs.ReadFile(schemas.FS, "event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("event", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("event")
	if err != nil {
		t.Fatal(err)
	}
	return &receiver{t: t, answer: answer, grown: make(chan struct{}, 1), schema: schema}
}

func (r *receiver) register(v *vault, purposes ...string) {
	r.t.Helper()
	v.get("/v1/events?wait=30", v.token("officer", privacy.RoleOfficer)) // the policy's publication is in the log, and past
	var saved struct{ ID, Secret string }
	v.post("/v1/processors", v.token("officer", privacy.RoleOfficer), object{"name": "Mail House", "contact": "privacy desk", "url": r.url, "purposes": purposes,
		"country": "DE", "agreement": "DPA-1", "client": r.client}, http.StatusCreated).into(r.t, &saved)
	verifier, err := standardwebhooks.NewWebhook(saved.Secret)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.id, r.verifier = saved.ID, verifier
	r.mu.Unlock()
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	c := call{id: request.Header.Get("webhook-id"), header: request.Header, body: body, at: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	verify := r.verifier.Verify
	if r.ahead {
		verify = r.verifier.VerifyIgnoringTimestamp
	}
	if err := verify(body, request.Header); err != nil {
		r.t.Errorf("a call does not verify: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = errors.Join(r.schema.Validate(document), json.Unmarshal(body, &c.message))
	}
	if err != nil {
		r.t.Errorf("a body is not an event: %v", err)
	}
	status := r.answer(c)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if status < 300 {
		r.accepted = append(r.accepted, c)
		select {
		case r.grown <- struct{}{}:
		default:
		}
	}
}

// set changes how the receiver answers.
func (r *receiver) set(answer func(call) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func always(status int) func(call) int { return func(call) int { return status } }

// wait gives what was accepted once it fulfils a condition.
func (r *receiver) wait(enough func([]call) bool) []call {
	r.t.Helper()
	late := time.After(2 * time.Minute)
	for {
		r.mu.Lock()
		accepted := slices.Clone(r.accepted)
		r.mu.Unlock()
		if enough(accepted) {
			return accepted
		}
		select {
		case <-r.grown:
		case <-late:
			r.t.Fatalf("only %d events came", len(accepted))
		}
	}
}

func count(n int) func([]call) bool { return func(calls []call) bool { return len(calls) >= n } }

// distinct waits for so many different events.
func distinct(n int) func([]call) bool {
	return func(calls []call) bool {
		seen := map[string]bool{}
		for _, c := range calls {
			seen[c.id] = true
		}
		return len(seen) >= n
	}
}

// inOrder makes sure that of each subject the events were accepted in the order in which they happened, not
// counting those that came again, and gives how many different ones there were.
func inOrder(t testing.TB, calls []call) int {
	t.Helper()
	seen, last := map[string]bool{}, map[string]int64{}
	for _, c := range calls {
		if seen[c.id] {
			continue
		}
		seen[c.id] = true
		subject, sequence := c.message.Data.Subject, c.message.Data.Sequence
		if sequence <= last[subject] {
			t.Errorf("event %d of a subject came after %d", sequence, last[subject])
		}
		last[subject] = sequence
	}
	return len(seen)
}

// people stores so many subjects.
func (v *vault) people(n int) []string {
	v.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = v.store(fmt.Sprintf("person-%d@example.com", i), object{"country": "DE"})
	}
	return ids
}

// A withdrawal is told, signed, to who is registered for its purpose and to nobody else, with the pseudonym and nothing
// of the person. The median from the withdrawal's call to the webhook is printed.
func TestEventsTellOfWithdrawals(t *testing.T) {
	v := setupWith(t, soon)
	mail, all := v.receive(always(200), "marketing.*"), v.receive(always(204), "*")
	v.receive(func(c call) int { t.Errorf("the wrong processor was told %s", c.body); return 200 }, "analytics.profiling")
	const rounds = 25
	id := v.store("ada@example.com", object{"email": "ada@example.com", "country": "DE"})
	var took []time.Duration
	for i := range rounds {
		v.consent(id, "marketing.email", "grant")
		begin := time.Now()
		v.consent(id, "marketing.email", "withdraw")
		calls := mail.wait(count(2*i + 2))
		took = append(took, calls[len(calls)-1].at.Sub(begin))
	}
	slices.Sort(took)
	t.Logf("withdrawal to webhook: median %s, slowest of %d %s", took[rounds/2], rounds, took[rounds-1])
	calls := mail.wait(count(2 * rounds))
	if inOrder(t, calls) != 2*rounds || inOrder(t, all.wait(count(2*rounds))) != 2*rounds {
		t.Error("events are missing")
	}
	last := calls[len(calls)-1]
	if m := last.message; m.Type != "consent.withdrawn" || m.Data.Subject != id || m.Data.Purpose != "marketing.email" || m.Data.Status != "withdrawn" || m.Data.Record != last.id || m.Timestamp.IsZero() {
		t.Errorf("the event is %s", last.body)
	}
	if strings.Contains(string(last.body), "ada") {
		t.Errorf("the event tells of the person: %s", last.body)
	}

	// What an attacker has is the call as it was sent: changed it does not verify, and later it is too old.
	forged := []byte(strings.Replace(string(last.body), "withdrawn", "granted", 1))
	if mail.verifier.Verify(forged, last.header) == nil {
		t.Error("a forged body verifies")
	}
	if mail.verifier.Verify(last.body, last.header) != nil {
		t.Error("the true one does not")
	}
	replayed := maps.Clone(last.header)
	replayed.Set("webhook-timestamp", fmt.Sprint(time.Now().Add(-6*time.Minute).Unix()))
	if mail.verifier.Verify(last.body, replayed) == nil {
		t.Error("a call with another timestamp verifies")
	}
	if all.verifier.Verify(last.body, last.header) == nil {
		t.Error("another processor's secret verifies it")
	}
}

// A receiver that is away, first not answering, then with errors of its own, gets everything in order once it is back, and
// the vault is ready all the while.
func TestEventsWaitForAReceiver(t *testing.T) {
	v := setupWith(t, soon)
	tried := make(chan struct{}, 1)
	r := v.receive(func(call) int {
		select {
		case tried <- struct{}{}:
		default:
		}
		return 0
	}, "marketing.*")
	other := v.receive(always(200), "marketing.*")
	ids := v.people(5)
	const rounds = 6
	for i := range rounds {
		if i == rounds/2 {
			<-tried
			r.set(always(503))
		}
		for _, id := range ids {
			v.consent(id, "marketing.email", []string{"grant", "withdraw"}[i%2])
		}
	}
	other.wait(count(rounds * len(ids))) // one that is there does not wait for one that is not
	v.get("/readyz", "")
	r.mu.Lock()
	if r.attempts == 0 || len(r.accepted) != 0 {
		t.Errorf("%d attempts, %d accepted", r.attempts, len(r.accepted))
	}
	r.mu.Unlock()
	r.set(always(200))
	calls := r.wait(distinct(rounds * len(ids)))
	if n := inOrder(t, calls); n != rounds*len(ids) {
		t.Errorf("%d events came", n)
	}
	metrics := string(v.get("/metrics", "").body)
	for _, want := range []string{`consentry_event_attempts_total{outcome="accepted"}`, `outcome="unreachable"`, "consentry_event_seconds_count", "consentry_event_deliveries_pending", "consentry_event_deliveries_dead 0", "consentry_events_outbox"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// An event that the receiver will not have is given up after a while, shown, and can be retried; the events of other
// subjects do not wait for it.
func TestEventsGiveUpWhatIsRefused(t *testing.T) {
	v := setupWith(t, soon)
	officer := v.token("officer", privacy.RoleOfficer)
	ids := v.people(2)
	r := v.receive(func(c call) int {
		if c.message.Data.Subject == ids[0] && c.message.Type == "consent.granted" {
			return http.StatusUnprocessableEntity
		}
		return 200
	}, "*")
	v.consent(ids[0], "marketing.email", "grant")
	v.consent(ids[0], "marketing.email", "withdraw")
	v.consent(ids[1], "marketing.email", "grant")
	calls := r.wait(count(2))
	if calls[0].message.Data.Subject != ids[1] || calls[1].message.Type != "consent.withdrawn" {
		t.Errorf("came %s, then %s", calls[0].body, calls[1].body)
	}
	var list struct {
		Deliveries []struct {
			Event, Type, Subject, State, Problem string
			Attempts, Status                     int
		}
	}
	v.get("/v1/processors/"+r.id+"/deliveries?state=dead", officer).into(t, &list)
	if len(list.Deliveries) != 1 || list.Deliveries[0].Subject != ids[0] || list.Deliveries[0].Status != 422 || list.Deliveries[0].Problem != "refused" || list.Deliveries[0].Attempts != 3 {
		t.Fatalf("given up: %+v", list)
	}
	r.set(always(200))
	retry := "/v1/processors/" + r.id + "/deliveries/" + list.Deliveries[0].Event + "/retry"
	v.post(retry, officer, object{}, http.StatusAccepted)
	if calls := r.wait(count(3)); calls[2].id != list.Deliveries[0].Event {
		t.Errorf("came %s", calls[2].body)
	}
	if a := v.call(http.MethodPost, v.url+retry, officer, object{}); a.code() != "delivery_done" && a.status != http.StatusAccepted {
		t.Errorf("retried again: %d %s", a.status, a.body)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/processors/"+r.id+"/deliveries/"+ids[0]+"/retry", officer, object{}); a.status != http.StatusNotFound {
		t.Errorf("an unknown event: %d %s", a.status, a.body)
	}
}

// What happened before a processor came, or that it lost, it gets by replay from a cursor of the feed.
func TestEventsReplayFromACursor(t *testing.T) {
	v := setupWith(t, soon)
	officer := v.token("officer", privacy.RoleOfficer)
	ids := v.people(3)
	for _, id := range ids {
		v.consent(id, "marketing.email", "grant")
	}
	var page struct {
		Events []struct{ ID, Type string }
		Cursor string
	}
	await := func(cursor string) {
		t.Helper()
		page.Events = nil
		v.get("/v1/events?wait=30&limit=1000&cursor="+cursor, officer).into(t, &page)
	}
	for seen := 0; seen < 4; { // the policy's publication, and three grants
		await(page.Cursor)
		seen += len(page.Events)
	}
	end := page.Cursor
	r := v.receive(always(200), "marketing.email")
	v.consent(ids[0], "marketing.email", "withdraw")
	r.wait(count(1))
	v.post("/v1/processors/"+r.id+"/replay", officer, object{"cursor": end}, http.StatusAccepted)
	calls := r.wait(count(2))
	if calls[0].id != calls[1].id {
		t.Error("replayed from after the grants, something else came than the withdrawal")
	}
	v.post("/v1/processors/"+r.id+"/replay", officer, object{}, http.StatusAccepted)
	calls = r.wait(count(2 + 5))[2:]
	if n := inOrder(t, calls); n != 5 || !slices.ContainsFunc(calls, func(c call) bool { return c.message.Type == "policy.published" }) {
		t.Errorf("replayed from the beginning, %d events came", n)
	}
	for _, cursor := range []string{"x", "AAAAAAAAAAA=", "_wAAAAAAAAA", strings.Repeat("A", 12)} {
		if a := v.call(http.MethodPost, v.url+"/v1/processors/"+r.id+"/replay", officer, object{"cursor": cursor}); a.code() != "invalid_cursor" {
			t.Errorf("cursor %q: %d %s", cursor, a.status, a.body)
		}
	}
}

// A new secret signs at once, and the old one beside it; revoked, it no longer does.
func TestEventsSurviveARotation(t *testing.T) {
	v := setupWith(t, soon)
	admin := v.token("admin", privacy.RoleAdmin)
	r := v.receive(always(200), "*")
	id := v.people(1)[0]
	rotate := func(version int, revoke bool) *standardwebhooks.Webhook {
		var saved struct{ Secret string }
		v.post("/v1/processors/"+r.id+"/secret", admin, object{"version": version, "revoke": revoke}, http.StatusOK).into(t, &saved)
		verifier, err := standardwebhooks.NewWebhook(saved.Secret)
		if err != nil || saved.Secret == "" {
			t.Fatal("no secret", err)
		}
		return verifier
	}
	second := rotate(1, false)
	v.consent(id, "marketing.email", "grant")
	if c := r.wait(count(1))[0]; second.Verify(c.body, c.header) != nil { // the receiver itself still has the first
		t.Error("not signed with the new secret")
	}
	third := rotate(2, true)
	first := r.verifier
	r.mu.Lock()
	r.verifier = third
	r.mu.Unlock()
	v.consent(id, "marketing.email", "withdraw")
	if c := r.wait(count(2))[1]; second.Verify(c.body, c.header) == nil || first.Verify(c.body, c.header) == nil {
		t.Error("a revoked secret still signs")
	}
	if a := v.call(http.MethodPost, v.url+"/v1/processors/"+r.id+"/secret", admin, object{"version": 2}); a.code() != "version_conflict" {
		t.Errorf("an old version: %d %s", a.status, a.body)
	}
}
