package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// Benchmarks compare a piece of work with a floor in the same run, on the same machine and data, because
// a bare time says more about the machine than about the work. `make bench` runs each
// once; they print a table and write bench.json.

// ratio is one line of the table.
type ratio struct {
	Work     string  `json:"work"`
	Floor    string  `json:"floor"`
	WorkRate float64 `json:"work_per_second"`
	BaseRate float64 `json:"floor_per_second"`
	Ratio    float64 `json:"ratio"`
	Target   float64 `json:"target"`
	Note     string  `json:"note,omitempty"`
}

// ratios collects the lines of a run.
type ratios struct {
	mu    sync.Mutex
	lines []ratio
	file  string // where the JSON goes, in the repository's root; bench.json when empty
}

func (r *ratios) add(b *testing.B, line ratio) {
	line.Ratio = line.WorkRate / line.BaseRate
	b.ReportMetric(line.Ratio, "ratio")
	b.ReportMetric(line.WorkRate, "work/s")
	b.ReportMetric(line.BaseRate, "floor/s")
	b.ReportMetric(0, "ns/op")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *ratios) report(b *testing.B) {
	var table strings.Builder
	_, _ = fmt.Fprintf(&table, "\n| work | floor | work/s | floor/s | ratio | at least | |\n| --- | --- | ---: | ---: | ---: | ---: | --- |\n")
	for _, l := range r.lines {
		_, _ = fmt.Fprintf(&table, "| %s | %s | %.0f | %.0f | %.2f | %.2f | %s |\n", l.Work, l.Floor, l.WorkRate, l.BaseRate, l.Ratio, l.Target, l.Note)
	}
	_, _ = os.Stdout.WriteString(table.String()) // b.Log would need -v
	encoded, err := json.MarshalIndent(r.lines, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile("../../"+cmp.Or(r.file, "bench.json"), append(encoded, '\n'), 0o600); err != nil {
		b.Fatal(err)
	}
}

// rates runs floor and work in turns, several times each, and gives the median rates per second: what
// else the machine does hits both alike.
func rates(rounds int, each time.Duration, workers int, floor, work func(worker int)) (floorRate, workRate float64) {
	var floors, works []float64
	for range rounds {
		floors = append(floors, rate(each, workers, floor))
		works = append(works, rate(each, workers, work))
	}
	slices.Sort(floors)
	slices.Sort(works)
	return floors[len(floors)/2], works[len(works)/2]
}

// rate runs work on a number of workers for a while and gives how often a second it was done.
func rate(during time.Duration, workers int, work func(worker int)) float64 {
	var done atomic.Int64
	var running sync.WaitGroup
	start := time.Now()
	for w := range workers {
		running.Go(func() {
			for time.Since(start) < during {
				work(w)
				done.Add(1)
			}
		})
	}
	running.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

// bench is a vault on a durable PostgreSQL of its own with people in it.
type bench struct {
	*vault
	ids  []string
	pool *pgxpool.Pool
}

// benchAttributes are the ten that are asked for; the first five in bulk.
var benchAttributes = []string{"email", "given_name", "family_name", "language", "gender", "customer_level", "interests", "orders_total", "spend_total", "education"}

func newBench(b *testing.B, people int) *bench {
	b.Helper()
	postgres := testenv.OwnPostgres(b, testenv.Durable)
	address, token := testenv.Vault(b)
	v := &bench{vault: setupOn(b, migrated(b, postgres), address, token)}
	v.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	v.ids = v.populate(people)
	var err error
	if v.pool, err = pgxpool.New(b.Context(), v.database+"&pool_max_conns=8"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(v.pool.Close)
	sql(b, v.connect(), "VACUUM ANALYZE") // as autovacuum would, a minute later
	return v
}

// populate has people imported, and each grant marketing.email.
func (v *bench) populate(people int) []string {
	v.t.Helper()
	ids := v.importPeople(0, people)
	v.grantAll(ids)
	return ids
}

// importPeople imports people through the API, a part at a time.
func (v *bench) importPeople(from, to int) (ids []string) {
	v.t.Helper()
	for ; from < to; from += 20_000 {
		ids = append(ids, v.importPart(from, min(from+20_000, to))...)
	}
	return ids
}

func (v *bench) importPart(from, to int) []string {
	v.t.Helper()
	people := to - from
	var lines strings.Builder
	for i := from; i < to; i++ {
		_, _ = fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":"bench-%[1]d@example.com"}],"source":"bench","attributes":{"email":"bench-%[1]d@example.com","given_name":"Ada","family_name":"Lovelace","language":"en","gender":"female","customer_level":"gold","interests":["chess","poetry"],"orders_total":%[1]d,"spend_total":%[1]d.50,"education":"master","country":"DE","birth_date":"1990-12-10"}}`+"\n", i)
	}
	body := v.post("/v1/subjects/import", v.steward(), lines.String(), http.StatusOK).body
	ids := make([]string, 0, people)
	for line := range bytes.Lines(body) {
		var answer struct{ ID string }
		if err := json.Unmarshal(line, &answer); err != nil {
			v.t.Fatal(err)
		}
		if answer.ID != "" {
			ids = append(ids, answer.ID)
		}
	}
	if len(ids) != people {
		v.t.Fatalf("%d of %d people imported: %.300s", len(ids), people, body)
	}
	return ids
}

func (v *bench) grantAll(ids []string) {
	v.t.Helper()
	steward := v.steward()
	var next atomic.Int64
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(ids); i = int(next.Add(1)) - 1 {
				if a := v.call(http.MethodPost, v.url+"/v1/consents", steward, fmt.Sprintf(`{"subject":{"id":%q},"purpose":"marketing.email","action":"grant"}`, ids[i])); a.status != http.StatusCreated {
					v.t.Errorf("grant: %d %s", a.status, a.body)
					return
				}
			}
		})
	}
	running.Wait()
}

// selectHandler is the floor of a disclosure: it looks the same rows up and gives them, and nothing more.
func (v *bench) selectHandler() http.Handler {
	numbers := make([]int32, len(benchAttributes))
	words := v.node.Service.Catalogue()
	for i, name := range benchAttributes {
		attribute, ok := words.Attribute(privacy.AttributeName(name))
		if !ok {
			v.t.Fatal("no attribute", name)
		}
		numbers[i] = int32(attribute.ID)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Attributes []string
			Subjects   []struct{ ID string }
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		ids := make([]string, len(request.Subjects))
		for i := range request.Subjects {
			ids[i] = request.Subjects[i].ID
		}
		rows, err := v.pool.Query(r.Context(), `SELECT subject_id, attribute_id, sealed FROM attribute_value WHERE subject_id = ANY($1::uuid[]) AND attribute_id = ANY($2)`, ids, numbers[:len(request.Attributes)])
		if err != nil {
			http.Error(w, "failed", http.StatusInternalServerError)
			return
		}
		type value struct {
			Subject   [16]byte
			Attribute int32
			Sealed    []byte
		}
		var values []value
		for rows.Next() {
			var found value
			if err := rows.Scan(&found.Subject, &found.Attribute, &found.Sealed); err != nil {
				break
			}
			values = append(values, found)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(values)
	})
}

// poster sends a body again and again on connections that stay open.
func (v *bench) poster(url, token string, body func(worker int) string) func(worker int) {
	return func(worker int) {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body(worker)))
		if err != nil {
			panic(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		response, err := v.client.Do(request)
		if err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			panic(fmt.Sprint("status ", response.StatusCode))
		}
	}
}

func (v *bench) request(attributes, from, n int) string {
	refs := make([]object, n)
	for i := range refs {
		refs[i] = object{"id": v.ids[(from+i)%len(v.ids)]}
	}
	body, err := json.Marshal(object{"purpose": "marketing.email", "attributes": benchAttributes[:attributes], "subjects": refs})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func BenchmarkRatios(b *testing.B) {
	v := newBench(b, 2000)
	floor := httptest.NewServer(v.selectHandler())
	defer floor.Close()
	var table ratios
	b.Run("disclosure of 10 attributes", func(b *testing.B) { v.benchSingle(b, floor.URL, &table) })
	b.Run("disclosure of 5 attributes of 1,000 subjects", func(b *testing.B) { v.benchBulk(b, floor.URL, &table) })
	b.Run("opening a value", func(b *testing.B) { v.benchOpen(b, &table) })
	b.Run("disclosure from a hundredfold larger database", func(b *testing.B) { v.benchScale(b, &table) })
	table.report(b)
}

func (v *bench) benchSingle(b *testing.B, floor string, table *ratios) {
	bodies := make([]string, len(v.ids))
	for i := range bodies {
		bodies[i] = v.request(10, i, 1)
	}
	var next atomic.Int64
	body := func(int) string { return bodies[int(next.Add(1))%len(bodies)] }
	consumer := v.consumer()
	for b.Loop() {
		floorRate, workRate := rates(9, 2*time.Second, 32, v.poster(floor, consumer, body), v.poster(v.url+"/v1/disclosures", consumer, body))
		table.add(b, ratio{Work: "disclosure of 10 attributes, 32 clients, durable audit", Floor: "net/http handler that SELECTs the same 10 rows", WorkRate: workRate, BaseRate: floorRate, Target: 0.5})
	}
}

func (v *bench) benchBulk(b *testing.B, floor string, table *ratios) {
	body := v.request(5, 0, 1000)
	consumer := v.consumer()
	fixed := func(int) string { return body }
	for b.Loop() {
		before := v.node.Policy.Evaluations()
		floorRate, workRate := rates(9, 2*time.Second, 1, v.poster(floor, consumer, fixed), v.poster(v.url+"/v1/disclosures", consumer, fixed))
		note := fmt.Sprintf("%d policy evaluations", v.node.Policy.Evaluations()-before)
		table.add(b, ratio{Work: "disclosure of 5 attributes of 1,000 subjects", Floor: "net/http handler that SELECTs the same rows", WorkRate: workRate, BaseRate: floorRate, Target: 0.4, Note: note})
		bare := func(int) { v.selectBare(1000, 5) }
		floorRate, workRate = rates(9, 2*time.Second, 1, bare, v.poster(v.url+"/v1/disclosures", consumer, fixed))
		table.add(b, ratio{Work: "the same", Floor: "one bare SELECT of the same rows, no HTTP", WorkRate: workRate, BaseRate: floorRate, Target: 0.4})
	}
}

// benchOpen compares opening one value of a subject, page look-up and key derivation included, with bare AES-256-GCM.
func (v *bench) benchOpen(b *testing.B, table *ratios) {
	keys, err := keyring.OpenVault(b.Context(), v.keys, keyring.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	id, err := privacy.ParseSubjectID(v.ids[0])
	if err != nil {
		b.Fatal(err)
	}
	subject, err := keys.Subject(b.Context(), id, 0)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := subject.Seal(keyring.KindAttribute, 1, 1, privacy.NewCleartext("bench-0@example.com"))
	if err != nil {
		b.Fatal(err)
	}
	gcm, box := bareGCM(b)
	aad := make([]byte, 23)
	bare := func(int) { _, _ = gcm.Open(nil, box[:12], box[12:], aad) }
	open := func(int) {
		subject, err := keys.Subject(b.Context(), id, 0)
		if err == nil {
			_, err = subject.Open(keyring.KindAttribute, 1, 1, sealed)
		}
		if err != nil {
			panic(err)
		}
	}
	for b.Loop() {
		floorRate, workRate := rates(3, time.Second, 1, bare, open)
		more := time.Duration(float64(time.Second)/workRate - float64(time.Second)/floorRate)
		table.add(b, ratio{Work: "opening one value with a warm page", Floor: "bare AES-256-GCM open", WorkRate: workRate, BaseRate: floorRate, Note: fmt.Sprintf("%v more; at most 3µs", more)})
	}
}

func bareGCM(b *testing.B) (gcm cipher.AEAD, box []byte) {
	b.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	if gcm, err = cipher.NewGCM(block); err != nil {
		b.Fatal(err)
	}
	nonce := make([]byte, 12)
	return gcm, append(nonce, gcm.Seal(nil, nonce, []byte("bench-0@example.com"), make([]byte, 23))...)
}

// benchScale compares a disclosure from a database of 2,000 people with one from 200,000. There is no running the
// two in turns, so the first is measured right before the database grows.
func (v *bench) benchScale(b *testing.B, table *ratios) {
	consumer := v.consumer()
	var next atomic.Int64
	work := v.poster(v.url+"/v1/disclosures", consumer, func(int) string { return v.request(10, int(next.Add(1)), 1) })
	for b.Loop() {
		small := rate(6*time.Second, 32, work)
		v.importPeople(len(v.ids), 100*len(v.ids))
		sql(b, v.connect(), "VACUUM ANALYZE")
		large := rate(6*time.Second, 32, work)
		table.add(b, ratio{Work: "disclosure of 10 attributes from 200,000 people", Floor: "the same from 2,000 people", WorkRate: large, BaseRate: small, Target: 0.75})
	}
}

// selectBare reads the sealed rows of subjects and looks at each.
func (v *bench) selectBare(subjects, attributes int) {
	numbers := make([]int32, attributes)
	for i := range numbers {
		attribute, _ := v.node.Service.Catalogue().Attribute(privacy.AttributeName(benchAttributes[i]))
		numbers[i] = int32(attribute.ID)
	}
	rows, err := v.pool.Query(context.Background(), `SELECT subject_id, attribute_id, version, sealed FROM attribute_value WHERE subject_id = ANY($1::uuid[]) AND attribute_id = ANY($2)`, v.ids[:subjects], numbers)
	if err != nil {
		panic(err)
	}
	var id [16]byte
	var attribute, version int32
	var sealed []byte
	n := 0
	for rows.Next() {
		if err := rows.Scan(&id, &attribute, &version, &sealed); err != nil {
			panic(err)
		}
		n++
	}
	if rows.Err() != nil || n != subjects*attributes {
		panic(fmt.Sprint(n, " rows: ", rows.Err()))
	}
}
