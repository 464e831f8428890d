package store_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Where the data of somebody went is read without the lists of those who were in the same runs of entries: they would be a hundred times
// as much as the rest.
func TestReachedLeavesTheListsOfRunsAlone(t *testing.T) {
	t.Parallel()
	db := setup(t)
	db.exec(`INSERT INTO audit_run SELECT gen_random_uuid(), 0, now(), 'disclosure', 'crm', '', 'marketing.email', '{}', '{}', people, array_fill(0, ARRAY[1000]), '{}'
		FROM (SELECT run / 20 AS mailing, array_agg(('00000000-0000-7000-8000-' || lpad(to_hex(run % 20 * 1000 + n), 12, '0'))::uuid) AS people
			FROM generate_series(0, 999) run, generate_series(1, 1000) n GROUP BY run) r`)
	db.exec(`VACUUM ANALYZE audit_run`)
	who := make([]privacy.SubjectID, 20) // each of them in 50 runs
	for i := range who {
		n := 1 + i*1000
		who[i] = privacy.SubjectID{6: 0x70, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}
	}
	sent := &recorder{}
	s, err := store.Open(t.Context(), store.Config{URL: db.url, Tracer: sent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	sent.statements = nil
	reached, err := s.Reached(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range who {
		if clients := reached[id].Answers; len(clients) != 1 || clients[0].Client != "crm" {
			t.Errorf("%v: %v", id, clients)
		}
	}
	pages := 0
	for _, statement := range sent.statements {
		plan := db.explain("EXPLAIN (ANALYZE, BUFFERS) "+statement.sql, statement.args...)
		for _, found := range regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`).FindAllStringSubmatch(plan, 1) { // the first is of the whole
			hit, _ := strconv.Atoi(found[1])
			read, _ := strconv.Atoi(found[2])
			pages += hit + read
		}
	}
	if pages == 0 || pages > 2*1000 { // a list takes two pages at the least, and there are a thousand beside the rows
		t.Errorf("%d pages were read", pages)
	}
}
