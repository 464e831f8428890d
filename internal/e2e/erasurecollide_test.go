package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// Many ask for the same erasure at once, one by one and in batches, on two nodes: there is one request, carried out once, and the others
// have joined it.
func TestErasureCollidesWithItself(t *testing.T) {
	v := setup(t)
	id := v.store("many.times@example.com", object{"email": "many.times@example.com", "country": "DE", "birth_date": "1990-12-10"})
	_, second := v.start()
	self, officer := v.self(id), v.officer()
	var asking sync.WaitGroup
	for i := range 12 {
		url := []string{v.url, second}[i%2]
		asking.Go(func() {
			if i%3 == 0 {
				if a := v.call(http.MethodPost, url+"/v1/requests/batch", officer, object{"type": "erasure", "ground": "objected", "subjects": []string{id}}); a.status != http.StatusOK {
					t.Errorf("in a batch: %d %s", a.status, a.body)
				}
				return
			}
			if a := v.call(http.MethodPost, url+"/v1/me/requests", self, object{"type": "erasure"}); a.status != http.StatusCreated && a.status != http.StatusOK {
				t.Errorf("by themselves: %d %s", a.status, a.body)
			}
		})
	}
	asking.Wait()
	db := v.connect()
	var request string
	var requests, executed int
	if err := db.QueryRow(t.Context(), `SELECT min(request_id::text), count(*) FROM rights_request`).Scan(&request, &requests); err != nil || requests != 1 {
		t.Fatalf("%d requests: %v", requests, err)
	}
	if r := v.closed(request); r.State != "completed" || !r.Certificate {
		t.Errorf("the request: %+v", r)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action IN ('erasure.mark', 'erasure.execute', 'request.complete')`).Scan(&executed); err != nil || executed != 3 {
		t.Errorf("%d entries: %v", executed, err)
	}
}

// An import that is under way while somebody in it is erased stores nothing of them afterwards, and says so.
func TestErasureCollidesWithAnImport(t *testing.T) {
	v := setup(t)
	email := "imported.meanwhile@example.com"
	id := v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10"})
	var lines strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":"crowd-%d@example.com"}],"source":"crm","attributes":{"country":"DE"}}`+"\n", i)
		if i%50 == 49 {
			fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":%q}],"source":"crm","attributes":{"email":%q,"given_name":"Back"}}`+"\n", email, email)
		}
	}
	imported := make(chan answer, 1)
	go func() { imported <- v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), lines.String()) }()
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	if r = v.closed(r.ID); r.State != "completed" {
		t.Errorf("the erasure: %+v", r)
	}
	report := <-imported
	if report.status != http.StatusOK || !strings.Contains(string(report.body), `"erased_before"`) {
		t.Errorf("the import: %d %.300s", report.status, report.body)
	}
	again := v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), lines.String())
	if !strings.Contains(string(again.body), `"rejected":30,"complete":true`) {
		t.Errorf("the import once more: %s", again.body[max(0, len(again.body)-300):])
	}
	var rows int
	if err := v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM attribute_value WHERE subject_id = $1) + (SELECT count(*) FROM subject_identifier WHERE subject_id = $1) + (SELECT count(*) FROM identifier WHERE subject_id = $1)`, id).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows of theirs: %v", rows, err)
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/lookup", v.steward(), object{"identifier": object{"type": "email", "value": email}}); a.status != http.StatusNotFound {
		t.Errorf("they are found: %d %s", a.status, a.body)
	}
}

// A key page that fails its check stops the erasures on it: nothing is destroyed or deleted, the log raises the alarm, and once the page is
// put right they go on. The metrics count the alarms.
func TestErasureWaitsForADamagedPage(t *testing.T) {
	v := setup(t)
	if n := v.alarms(); n != 0 {
		t.Errorf("%d alarms before anything happened", n)
	}
	id := v.store("damaged@example.com", object{"email": "damaged@example.com", "country": "DE", "birth_date": "1990-12-10"})
	var page struct {
		Data struct {
			Data map[string]any
		}
	}
	if err := json.Unmarshal(v.vault(t, http.MethodGet, "data/pages/0", nil), &page); err != nil || page.Data.Data["wrapped"] == nil {
		t.Fatalf("the page: %+v: %v", page, err)
	}
	v.vault(t, http.MethodPost, "data/pages/0", object{"data": object{"wrapped": "bm90IGEgcGFnZQ=="}})
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	waitUntil(t, func() bool { return strings.Contains(v.logs.String(), "a key page failed its check") && v.alarms() > 0 })
	var step string
	var values int
	if err := v.connect().QueryRow(t.Context(), `SELECT step, (SELECT count(*) FROM attribute_value) FROM erasure`).Scan(&step, &values); err != nil || step != "buried" || values != 3 {
		t.Errorf("the erasure is %s, %d values are there: %v", step, values, err)
	}
	var metadata struct {
		Data struct {
			Versions map[string]struct{ Destroyed bool }
		}
	}
	if err := json.Unmarshal(v.vault(t, http.MethodGet, "metadata/pages/0", nil), &metadata); err != nil || len(metadata.Data.Versions) != 2 || metadata.Data.Versions["1"].Destroyed {
		t.Errorf("versions of the page: %+v: %v", metadata, err)
	}
	v.vault(t, http.MethodPost, "data/pages/0", object{"data": page.Data.Data})
	if r = v.closed(r.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("once the page is right: %+v", r)
	}
}

// alarms reads how often the metrics say that a key page failed its check.
func (v *vault) alarms() (n int) {
	v.t.Helper()
	found := regexp.MustCompile(`(?m)^consentry_key_page_failures_total (\d+)$`).FindSubmatch(v.get("/metrics", "").body)
	if found == nil {
		v.t.Fatal("the metrics do not count alarms")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

// The page of a key that backups must not be opened with any more is damaged: the alarm is raised as well, what was to be erased is, and the
// request is not done until the key is gone.
func TestRekeyWaitsForADamagedPage(t *testing.T) {
	v := setup(t)
	id := v.store("rekeyed@example.com", object{"email": "rekeyed@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	var page struct {
		Data struct {
			Data map[string]any
		}
	}
	if err := json.Unmarshal(v.vault(t, http.MethodGet, "data/pages/0", nil), &page); err != nil {
		t.Fatal(err)
	}
	v.vault(t, http.MethodPost, "data/pages/0", object{"data": object{"wrapped": "bm90IGEgcGFnZQ=="}})
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}, http.StatusCreated).into(t, &r)
	waitUntil(t, func() bool { return v.alarms() > 0 })
	var state string
	var names, spent int
	if err := v.connect().QueryRow(t.Context(), `SELECT state, (SELECT count(*) FROM attribute_value WHERE attribute_id = 1 AND sealed IS NOT NULL), (SELECT count(*) FROM spent_slot WHERE punctured_at IS NOT NULL) FROM rights_request`).
		Scan(&state, &names, &spent); err != nil || state != "in_progress" || names != 0 || spent != 0 {
		t.Errorf("the request is %s, %d names are there, %d keys are gone: %v", state, names, spent, err)
	}
	v.vault(t, http.MethodPost, "data/pages/0", object{"data": page.Data.Data})
	if r = v.closed(r.ID); r.State != "completed" || v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NOT NULL`) != 1 {
		t.Errorf("once the page is right: %+v", r)
	}
}

// Vault goes away between the steps of an erasure: reads have stopped, nothing is reported as done, and it goes on when Vault is back.
func TestErasureOutlastsVault(t *testing.T) {
	for _, point := range []string{"buried", "deleted"} {
		t.Run(point, func(t *testing.T) {
			own := testenv.OwnVault(t)
			var once sync.Once
			sealed := make(chan error, 1)
			v := setupOn(t, testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) }), own.Addr(), own.RootToken(), func(c *node.Config) {
				c.Reach = func(reached string) {
					if reached == point {
						once.Do(func() { sealed <- own.Seal(t.Context()) })
					}
				}
			})
			v.keys.Auth.Token = keyring.Secret(own.RootToken())
			id := v.store("outlast@example.com", object{"email": "outlast@example.com", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")
			var r rightsRequest
			v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
			if err := <-sealed; err != nil {
				t.Fatal(err)
			}
			waitUntil(t, func() bool { return strings.Contains(v.logs.String(), "requests could not be carried out at once") })
			v.get("/v1/requests/"+r.ID, v.officer()).into(t, &r)
			if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; r.State != "in_progress" || r.Certificate || d.Withheld["email"] != "erased" {
				t.Errorf("while Vault is away: %+v, %+v", r, d)
			}
			if err := own.Unseal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r = v.closed(r.ID); r.State != "completed" || !r.Certificate {
				t.Errorf("once Vault is back: %+v", r)
			}
		})
	}
}
