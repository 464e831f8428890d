package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// previewPeople is how many people a preview is measured over.
const previewPeople = 100_000

// BenchmarkRatiosPreview measures what a preview over 100,000 people takes, end to end: with a draft that changes a few cells, a
// grant and a country, and with one that changes a law, so that every state has to be decided on twice.
func BenchmarkRatiosPreview(b *testing.B) {
	v := newCrowd(b, previewPeople, func(int) string { return "" })

	for _, run := range []struct {
		name, patch string
		within      time.Duration // 0: no floor
	}{
		{"cells, a grant and a country", `{"data":{"matrix":{"city":{"marketing.email":"plain","analytics.profiling":null},"email":{"ads.personalised":null}},` +
			`"clients":{"sales-desk":{"purposes":["sales.outreach","marketing.sms"]}},"regimes":{"countries":{"CH":"gdpr"}}}}`, 5 * time.Second},
		{"a law", `{"data":{"regimes":{"laws":{"gdpr":{"minors":{"consent_age":{"DE":18}}}}}}}`, 0},
	} {
		b.Run(run.name, func(b *testing.B) {
			id := v.draft(run.patch)
			var took time.Duration
			var answer preview
			for b.Loop() {
				start := time.Now()
				v.post("/v1/policies/drafts/"+id+"/preview", v.token("office", privacy.RoleOfficer), object{"days": 30}, http.StatusOK).into(b, &answer)
				took = time.Since(start)
			}
			if len(answer.Population.Changes) == 0 {
				b.Fatal("nothing would change")
			}
			b.ReportMetric(took.Seconds(), "s")
			b.ReportMetric(0, "ns/op")
			_, _ = fmt.Fprintf(os.Stdout, "\n| preview over %d people, draft changes %s | %d states | %d changes | %.1f s |", previewPeople, run.name, answer.Population.States, len(answer.Population.Changes), took.Seconds())
			if run.within > 0 {
				_, _ = fmt.Fprintf(os.Stdout, " wished: under %v |", run.within)
			}
			_, _ = fmt.Fprintln(os.Stdout)
		})
	}
}

// preview is the answer to a preview.
type preview struct {
	Population struct {
		States  int
		Changes []struct {
			Client, Purpose, Attribute, Effect, From, To string
			People                                       struct {
				Count *int
				Below bool `json:"below_minimum"`
			}
		}
	}
}

// draft begins a draft of the policy in force, changes it, and gives its id.
func (v *vault) draft(patch string) string {
	v.t.Helper()
	officer := v.token("office", privacy.RoleOfficer)
	var draft struct{ ID string }
	a := v.post("/v1/policies/drafts", officer, object{"title": "A change"}, http.StatusCreated)
	a.into(v.t, &draft)
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPatch, v.url+"/v1/policies/drafts/"+draft.ID, strings.NewReader(patch))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+officer)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	request.Header.Set("If-Match", a.header.Get("ETag"))
	if edited := v.do(request); edited.status != http.StatusOK {
		v.t.Fatalf("edit: %d %.300s", edited.status, edited.body)
	}
	return draft.ID
}

// newCrowd is a vault with many people in it, who have decided about most purposes, with what else is said of each.
func newCrowd(b *testing.B, people int, more func(i int) string, adjust ...func(*node.Config)) *bench {
	b.Helper()
	postgres := testenv.OwnPostgres(b, testenv.Durable)
	address, token := testenv.Vault(b)
	v := &bench{vault: setupOn(b, migrated(b, postgres), address, token, adjust...)}
	v.client.Timeout = 10 * time.Minute
	var err error
	if v.pool, err = pgxpool.New(b.Context(), v.database); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(v.pool.Close)
	v.importCrowd(people, more)
	v.consentCrowd()
	sql(b, v.connect(), "VACUUM ANALYZE")
	return v
}

// importCrowd stores people of many countries and ages, with what else is said of each.
func (v *bench) importCrowd(people int, more func(i int) string) {
	v.t.Helper()
	countries := []string{"DE", "DE", "DE", "FR", "FR", "IT", "ES", "NL", "AT", "GB", "CN", "CN", "US", "BR", "JP", "CH"}
	for from := 0; from < people; from += 20_000 {
		var lines strings.Builder
		for i := from; i < min(from+20_000, people); i++ {
			born := 1940 + i%66
			if i%50 == 0 {
				born = 2008 + i%9
			}
			_, _ = fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":"crowd-%[1]d@example.com"}],"source":"bench","attributes":{"country":%[2]q,"birth_date":"%[3]d-03-01"%[4]s}}`+"\n", i, countries[i%len(countries)], born, more(i))
		}
		v.post("/v1/subjects/import", v.steward(), lines.String(), http.StatusOK)
	}
}

// consentCrowd gives everybody where they stand on three of four purposes, without a ledger behind it: a preview reads the state alone.
func (v *bench) consentCrowd() {
	v.t.Helper()
	connection := v.connect()
	sql(v.t, connection, "SET session_replication_role = replica")
	sql(v.t, connection, `
		INSERT INTO consent_state (subject_id, purpose, seq, status, explicit, separate_for, given_by, occurred_at, expires_at, updated_at)
		SELECT s.subject_id, p.purpose, 1, (ARRAY['granted', 'granted', 'denied', 'withdrawn'])[1 + h % 4], h % 8 < 2, CASE WHEN h % 16 = 1 THEN '{sensitive,third_party}' ELSE '{}' END::text[], 'self',
			'2026-01-01', CASE WHEN h % 10 = 0 THEN '2026-02-01'::timestamptz END, '2026-01-01'
		FROM subject s, unnest(ARRAY['sales.outreach', 'marketing.email', 'marketing.sms', 'ads.personalised', 'analytics.profiling', 'marketing.segment']) AS p (purpose),
			LATERAL (SELECT abs(hashtext(s.subject_id::text || p.purpose)) AS h) h
		WHERE h % 4 < 3 OR h % 3 = 0`)
	sql(v.t, connection, `UPDATE subject SET standing = '{"objections":[{"scope":"marketing.*","at":"2026-02-02T00:00:00Z"}]}' WHERE abs(hashtext(subject_id::text)) % 20 = 0`)
}
