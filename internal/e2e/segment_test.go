package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// indexed waits until a node has built its index.
func (v *vault) indexed(url string) {
	v.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var ready struct{ Segments struct{ Ready bool } }
		if a := v.call(http.MethodGet, url+"/readyz", "", nil); a.status == http.StatusOK && json.Unmarshal(a.body, &ready) == nil && ready.Segments.Ready {
			return
		}
	}
	v.t.Fatal("the index was not built")
}

// segment stores a segment and gives its path.
func (v *vault) segment(predicate string) string {
	v.t.Helper()
	var made struct{ ID string }
	v.post("/v1/segments", v.consumer(), `{"name":"test","predicate":`+predicate+`}`, http.StatusCreated).into(v.t, &made)
	return "/v1/segments/" + made.ID
}

// group is an answer about groups.
type group struct {
	Count           *int64
	Suppressed      bool
	Epsilon         float64
	BudgetRemaining float64 `json:"budget_remaining"`
	Margin          int64
	Repeated        bool
	Total           *int64
	Cells           []struct {
		Facets map[string]*string
		Count  *int64
	}
}

// townsfolk stores people of a city who agree to be counted and to email.
func (v *vault) townsfolk(city string, n int) []object {
	v.t.Helper()
	var lines bytes.Buffer
	refs := make([]object, n)
	for i := range n {
		email := fmt.Sprintf("%s-%d@example.com", strings.ToLower(city), i)
		refs[i] = identified("email", email)
		_, _ = fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":%q}],"source":"test","attributes":{"email":%q,"city":%q,"province":%q,"country":"DE","birth_date":"1990-05-17","customer_level":"gold"}}`+"\n", email, email, city, city)
	}
	v.post("/v1/subjects/import", v.steward(), lines.String(), http.StatusOK)
	v.agree(refs, "marketing.segment")
	v.agree(refs, "marketing.email")
	return refs
}

// What a marketer does: says whom, reads what that means, counts, splits, compares, looks back, and sends.
func TestSegmentWalk(t *testing.T) {
	v := setup(t)
	_, other := v.start()
	people := v.townsfolk("Graz", 120)
	v.indexed(v.url)
	v.indexed(other)
	if a := v.call(http.MethodGet, v.url+"/metrics", "", nil); !bytes.Contains(a.body, []byte("consentry_segment_index_left_out 0\n")) {
		t.Error("the metrics do not say how many are left out")
	}
	path := v.segment(`{"all":[{"facet":"city","eq":"Graz"},{"facet":"customer_level","between":["silver","platinum"]}]}`)
	var read struct {
		Version int
		Means   map[string]string
	}
	v.get(path, v.consumer()).into(t, &read)
	if read.Version != 1 || read.Means["en"] != "City is Graz and Customer level is from Silver to Platinum" || read.Means["zh"] != "城市为Graz，并且客户等级介于银至白金" {
		t.Errorf("%+v", read)
	}
	var first, again, split, overlap group
	v.post(path+"/count", v.consumer(), `{"purpose":"marketing.segment"}`, http.StatusOK).into(t, &first)
	if first.Count == nil || math.Abs(float64(*first.Count-120)) > 40 || first.Suppressed || first.Epsilon != 0.5 || first.BudgetRemaining != 29.5 || first.Margin < 3 {
		t.Fatalf("%+v", first)
	}
	v.call(http.MethodPost, other+path+"/count", v.consumer(), `{"purpose":"marketing.segment"}`).into(t, &again)
	if *again.Count != *first.Count || !again.Repeated || again.Epsilon != 0 {
		t.Errorf("another node, same question: %+v", again)
	}
	v.post(path+"/breakdown", v.consumer(), `{"purpose":"marketing.segment","by":["age_band","customer_level"]}`, http.StatusOK).into(t, &split)
	if split.Total == nil || math.Abs(float64(*split.Total-120)) > 40 || split.BudgetRemaining != 29 {
		t.Errorf("%+v", split)
	}
	v.post(path+"/overlap", v.consumer(), object{"purpose": "marketing.segment", "with": strings.TrimPrefix(v.segment(`{"facet":"city","exists":true}`), "/v1/segments/")}, http.StatusOK).into(t, &overlap)
	if len(overlap.Cells) != 3 || overlap.Cells[2].Count == nil || overlap.Cells[0].Count != nil {
		t.Errorf("%+v", overlap)
	}
	v.post("/v1/segments/report", v.consumer(), `{"purpose":"marketing.segment","by":"city"}`, http.StatusOK)
	var trend struct{ Points []struct{ Count *int64 } }
	v.get(path+"/trend?purpose=marketing.segment", v.consumer()).into(t, &trend)
	if len(trend.Points) != 1 || *trend.Points[0].Count != *first.Count {
		t.Errorf("%+v", trend)
	}

	// The campaign. Somebody withdraws, so it is not sent to them; somebody else does afterwards, and is on the suppression list.
	v.post("/v1/consents", v.steward(), object{"subject": people[0], "purpose": "marketing.email", "action": "withdraw"}, http.StatusCreated)
	path = v.segment(`{"all":[{"facet":"province","eq":"Graz"},{"facet":"customer_level","between":["silver","platinum"]}]}`)
	lines := v.post(path+"/activations", v.consumer(), `{"purpose":"marketing.email","attributes":["email","city"]}`, http.StatusOK)
	activation, sent := readActivation(t, lines.body)
	if len(sent) != 119 {
		t.Fatalf("%d members, %.300s", len(sent), lines.body)
	}
	if bytes.Contains(lines.body, []byte("graz-0@")) {
		t.Error("it was sent to somebody who has withdrawn")
	}
	_, rest := readActivation(t, v.post("/v1/activations/"+activation+"/resume", v.consumer(), object{"after": sent[100]}, http.StatusOK).body)
	if len(rest) != 18 || rest[0] != sent[101] {
		t.Errorf("after the 101st it goes on with %d", len(rest))
	}
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": sent[7]}, "purpose": "marketing.email", "action": "withdraw"}, http.StatusCreated)
	var gone struct{ Subjects []string }
	v.get("/v1/activations/"+activation+"/withdrawn", v.consumer()).into(t, &gone)
	if len(gone.Subjects) != 1 || gone.Subjects[0] != sent[7] {
		t.Errorf("withdrawn: %v", gone)
	}
	var entries struct {
		Entries []struct{ Action, Purpose string }
	}
	v.get("/v1/audit/entries?subject="+sent[7]+"&client=crm-mailer", v.auditor()).into(t, &entries)
	if len(entries.Entries) != 1 || entries.Entries[0].Action != "disclosure" || entries.Entries[0].Purpose != "marketing.email" {
		t.Errorf("on record of one member: %+v", entries)
	}
	if a := v.call(http.MethodGet, v.url+"/v1/activations/"+activation+"/withdrawn", v.token("analyst", privacy.RoleConsumer), nil); a.code() != "activation_not_found" {
		t.Errorf("another client sees the campaign: %d %s", a.status, a.body)
	}
}

// What is wrong with an activation as a whole is said before the first line of it: with a status, and as any other problem.
func TestActivationRefusedBeforeItIsSent(t *testing.T) {
	clock := &clock{}
	v := setupWith(t, clock.set)
	people := v.townsfolk("Graz", 80)
	v.indexed(v.url)
	path := v.segment(`{"facet":"province","eq":"Graz"}`)
	activation, sent := readActivation(t, v.post(path+"/activations", v.consumer(), `{"purpose":"marketing.email","attributes":["email"]}`, http.StatusOK).body)
	if len(sent) != 80 {
		t.Fatalf("%d members", len(sent))
	}
	refused := func(status int, code string) {
		t.Helper()
		a := v.call(http.MethodPost, v.url+"/v1/activations/"+activation+"/resume", v.consumer(), `{}`)
		if kind := a.header.Get("Content-Type"); a.status != status || a.code() != code || kind != "application/problem+json" {
			t.Errorf("%d %s %.300s, want %d %s", a.status, kind, a.body, status, code)
		}
	}
	for _, one := range people[:40] {
		v.post("/v1/consents", v.steward(), object{"subject": one, "purpose": "marketing.email", "action": "withdraw"}, http.StatusCreated)
	}
	refused(http.StatusUnprocessableEntity, "cohort_too_small")
	clock.pass(8 * 24 * time.Hour)
	refused(http.StatusConflict, "activation_over")
}

// readActivation gives the name of an activation and the members it was sent to, in order.
func readActivation(t *testing.T, content []byte) (activation string, sent []string) {
	t.Helper()
	complete := false
	scanner := bufio.NewScanner(bytes.NewReader(content))
	for scanner.Scan() {
		var line struct {
			Activation, Subject string
			Complete            bool
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		complete = complete || line.Complete
		if line.Activation != "" {
			activation = line.Activation
		}
		if line.Subject != "" {
			sent = append(sent, line.Subject)
		}
	}
	if !complete {
		t.Errorf("the stream has no end: %.500s", content)
	}
	return activation, sent
}

// A node that keeps no index says so, and serves all else.
func TestNodeWithoutSegments(t *testing.T) {
	v := setup(t)
	path := v.segment(`{"facet":"city","exists":true}`)
	v.adjust = append(v.adjust, withoutSegments)
	_, url := v.start()
	for _, ask := range []string{"/count", "/breakdown"} {
		a := v.call(http.MethodPost, url+path+ask, v.consumer(), `{"purpose":"marketing.segment"`+map[string]string{"/breakdown": `,"by":["city"]`}[ask]+`}`)
		if a.status != http.StatusServiceUnavailable || !bytes.Contains(a.body, []byte("segments_elsewhere")) {
			t.Errorf("%s: %d %.300s", ask, a.status, a.body)
		}
	}
	if a := v.call(http.MethodGet, url+"/readyz", "", nil); a.status != http.StatusOK || bytes.Contains(a.body, []byte("segments")) {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	if a := v.call(http.MethodGet, url+"/metrics", "", nil); a.status != http.StatusOK || bytes.Contains(a.body, []byte("segment_index")) {
		t.Errorf("metrics: %d", a.status)
	}
}

// Every road that ends in a refusal.
func TestBadInputSegments(t *testing.T) {
	v := setup(t)
	v.townsfolk("Graz", 60)
	v.indexed(v.url)
	path := v.segment(`{"facet":"city","exists":true}`)
	religious := v.segment(`{"facet":"gender","exists":true}`)
	deep := strings.Repeat(`{"not":`, 6) + `{"facet":"city","exists":true}` + strings.Repeat(`}`, 6)
	wide := `{"all":[` + strings.Repeat(`{"facet":"city","exists":true},`, 200) + `{"facet":"city","exists":true}]}`
	contradiction := `{"all":[{"facet":"city","eq":"Wien"},{"facet":"city","eq":"Graz"}]}`
	for _, c := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"no predicate", "/v1/segments", `{"name":"x"}`, 422, "invalid_request"},
		{"no name", "/v1/segments", `{"name":"","predicate":{"facet":"city","exists":true}}`, 422, "invalid_request"},
		{"predicate of nothing", "/v1/segments", `{"name":"x","predicate":{}}`, 422, "invalid_predicate"},
		{"predicate null", "/v1/segments", `{"name":"x","predicate":null}`, 422, ""},
		{"empty", "/v1/segments", `{"name":"x","predicate":{"all":[]}}`, 422, "empty_predicate"},
		{"too deep", "/v1/segments", `{"name":"x","predicate":` + deep + `}`, 422, "predicate_too_deep"},
		{"too wide", "/v1/segments", `{"name":"x","predicate":` + wide + `}`, 422, "predicate_too_wide"},
		{"contradictory", "/v1/segments", `{"name":"x","predicate":` + contradiction + `}`, 422, "contradictory_predicate"},
		{"unknown facet", "/v1/segments", `{"name":"x","predicate":{"facet":"mood","eq":"gut"}}`, 422, "unknown_facet"},
		{"unknown value", "/v1/segments", `{"name":"x","predicate":{"facet":"customer_level","eq":"wood"}}`, 422, "unknown_facet_value"},
		{"unordered", "/v1/segments/explain", `{"predicate":{"facet":"gender","between":["male","other"]}}`, 422, "facet_not_ordered"},
		{"no such segment", "/v1/segments/" + nobody + "/count", `{"purpose":"marketing.segment"}`, 404, "segment_not_found"},
		{"an id that is none", "/v1/segments/x/count", `{"purpose":"marketing.segment"}`, 422, ""},
		{"epsilon in the body", path + "/count", `{"purpose":"marketing.segment","epsilon":100}`, 422, "invalid_request"},
		{"minimum in the body", path + "/breakdown", `{"purpose":"marketing.segment","by":["city"],"minimum":1}`, 422, "invalid_request"},
		{"no purpose", path + "/count", `{}`, 422, "invalid_request"},
		{"unknown purpose", path + "/count", `{"purpose":"marketing.pigeon"}`, 422, "unknown_purpose"},
		{"a purpose that is not granted", path + "/count", `{"purpose":"service.support"}`, 403, "purpose_not_granted"},
		{"by nothing", path + "/breakdown", `{"purpose":"marketing.segment","by":[]}`, 422, "invalid_request"},
		{"by four", path + "/breakdown", `{"purpose":"marketing.segment","by":["city","gender","age_band","source"]}`, 422, "invalid_request"},
		{"by one twice", path + "/breakdown", `{"purpose":"marketing.segment","by":["city","city"]}`, 422, "invalid_breakdown"},
		{"by the unknown", path + "/breakdown", `{"purpose":"marketing.segment","by":["mood"]}`, 422, "unknown_facet"},
		{"no such report", "/v1/segments/report", `{"purpose":"marketing.segment","by":"mood"}`, 422, "invalid_request"},
		{"overlap with nothing", path + "/overlap", `{"purpose":"marketing.segment","with":"` + nobody + `"}`, 404, "segment_not_found"},
		{"activate too few", religious + "/activations", `{"purpose":"marketing.email","attributes":["email"]}`, 422, "cohort_too_small"},
		{"activate the unknown", path + "/activations", `{"purpose":"marketing.email","attributes":["shoe_size"]}`, 422, "unknown_attribute"},
		{"resume nothing", "/v1/activations/" + nobody + "/resume", `{}`, 404, "activation_not_found"},
	} {
		a := v.call(http.MethodPost, v.url+c.path, v.consumer(), c.body)
		if a.status != c.status || c.code != "" && a.code() != c.code {
			t.Errorf("%s: %d %.300s", c.name, a.status, a.body)
		}
		for _, word := range []string{"mood", "gut", "wood", "pigeon", "shoe_size", "Wien"} {
			if bytes.Contains(a.body, []byte(word)) {
				t.Errorf("%s: the answer repeats %s", c.name, word)
			}
		}
	}
	// A version that was changed meanwhile.
	body := `{"name":"x","version":1,"predicate":{"facet":"city","exists":true}}`
	for want, status := range []int{http.StatusOK, http.StatusConflict} {
		if a := v.call(http.MethodPut, v.url+path, v.consumer(), body); a.status != status {
			t.Errorf("update %d: %d %s", want, a.status, a.body)
		}
	}
	// A segment of another application: its campaigns are about it.
	if a := v.call(http.MethodPut, v.url+path, v.token("analyst", privacy.RoleConsumer), strings.Replace(body, `"version":1`, `"version":2`, 1)); a.code() != "segment_of_another" {
		t.Errorf("another application changes a segment: %d %s", a.status, a.body)
	}
	if a := v.call(http.MethodPut, v.url+path, v.token("desk", privacy.RoleOfficer), strings.Replace(body, `"version":1`, `"version":2`, 1)); a.status != http.StatusOK {
		t.Errorf("an officer changes a segment: %d %s", a.status, a.body)
	}
	if a := v.call(http.MethodPut, v.url+path, v.consumer(), strings.Replace(body, `"version":1`, `"version":3`, 1)); a.status != http.StatusOK {
		t.Errorf("who made it after an officer: %d %s", a.status, a.body)
	}
	// A facet that the purpose may not use: education, for service.
	desk := v.token("service-desk", privacy.RoleConsumer)
	education := v.segment(`{"facet":"education","exists":true}`)
	if a := v.call(http.MethodPost, v.url+education+"/count", desk, `{"purpose":"service.support"}`); a.code() != "facet_not_permitted" {
		t.Errorf("a facet that the purpose may not use: %d %s", a.status, a.body)
	}
	// The budget runs out, says what is left and when it renews.
	for i := range 61 {
		other := v.segment(fmt.Sprintf(`{"any":[{"facet":"city","exists":true},{"facet":"city","eq":"Ort %d"}]}`, i))
		a := v.call(http.MethodPost, v.url+other+"/count", v.consumer(), `{"purpose":"marketing.segment"}`)
		if a.status == http.StatusTooManyRequests {
			if a.code() != "budget_exhausted" || !bytes.Contains(a.body, []byte("0 of 30 is left")) || !bytes.Contains(a.body, []byte("renews at 20")) {
				t.Errorf("%s", a.body)
			}
			return
		}
	}
	t.Error("the budget never ran out")
}

// The campaigns of the public data set: who took up the last offer, by education and by marital status, within the noise that is stated.
func TestSegmentsKnownAnswers(t *testing.T) {
	file := testenv.SharedData(t, "data", "marketing_campaign", "marketing_campaign.csv")
	want := knownAnswers(t)["marketing_campaign"].(map[string]any)
	v := setup(t)
	v.importFile(file, "../mapping/testdata/marketing_campaign.yaml", 2240)
	var refs []object
	for _, row := range table(t, file) {
		refs = append(refs, identified("customer_number", "MC-"+row["ID"]))
	}
	v.agree(refs, "marketing.segment")
	v.indexed(v.url)
	path := v.segment(`{"facet":"response_class","eq":"yes"}`)
	for facet, known := range map[string]string{"education": "response_by_education", "marital_status": "response_by_marital"} {
		var told group
		v.post(path+"/breakdown", v.consumer(), object{"purpose": "marketing.segment", "by": []string{facet}}, http.StatusOK).into(t, &told)
		got := make(map[string]int64)
		for _, cell := range told.Cells {
			if value := cell.Facets[facet]; value != nil && cell.Count != nil {
				got[strings.ToLower(*value)] = *cell.Count
			}
		}
		for value, numbers := range want[known].(map[string]any) {
			truth := int64(numbers.([]any)[1].(float64))
			count, shown := got[strings.ToLower(value)]
			// Noise of more than 40 has a probability below one in a hundred million.
			if shown && math.Abs(float64(count-truth)) > 40 || !shown && truth > 90 || shown && truth < 10 {
				t.Errorf("%s %s: told %d (%v), truly %d", facet, value, count, shown, truth)
			}
		}
		if len(got) < 2 {
			t.Errorf("%s: only %v is told", facet, got)
		}
	}
}

// A process that answers is killed in the middle of it: no answer was given that its budget does not know of.
func TestSegmentsSurviveAKill(t *testing.T) {
	v := setup(t)
	v.townsfolk("Graz", 80)
	paths := make([]string, 60)
	for i := range paths {
		paths[i] = v.segment(fmt.Sprintf(`{"any":[{"facet":"city","exists":true},{"facet":"city","eq":"Ort %d"}]}`, i))
	}
	doomed, url := v.launch(nil)
	url = strings.TrimSuffix(url, "/")
	t.Cleanup(func() { _ = doomed.Process.Kill(); _ = doomed.Wait() })
	v.indexed(url)
	consumer := v.consumer()
	var answered atomic.Int64
	var asking sync.WaitGroup
	for w := range 6 {
		asking.Go(func() {
			for i := w; i < len(paths); i += 6 {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+paths[i]+"/count", strings.NewReader(`{"purpose":"marketing.segment"}`))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Authorization", "Bearer "+consumer)
				request.Header.Set("Content-Type", "application/json")
				response, err := v.client.Do(request)
				if err != nil {
					return // it is dead
				}
				var told group
				if err := json.NewDecoder(response.Body).Decode(&told); err == nil && response.StatusCode == http.StatusOK && told.Count != nil {
					if answered.Add(1) == 15 {
						_ = doomed.Process.Kill()
					}
				}
				_ = response.Body.Close()
			}
		})
	}
	asking.Wait()
	var budget struct{ Total, Remaining float64 }
	v.get("/v1/segments/budget?purpose=marketing.segment", consumer).into(t, &budget)
	spent := int64(math.Round((budget.Total - budget.Remaining) / 0.5))
	if answered.Load() < 15 || answered.Load() == int64(len(paths)) || spent < answered.Load() {
		t.Errorf("%d answers were given, %d were paid for", answered.Load(), spent)
	}
}
