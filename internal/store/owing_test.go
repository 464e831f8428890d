package store_test

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/store"
)

// Who has not confirmed is listed page by page, each once, also where many were told at the same moment; who has confirmed, who was told later and, where
// only what is quiet is asked for, who was escalated, is not.
func TestOwingIsListedPageByPage(t *testing.T) {
	t.Parallel()
	db := setup(t)
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	db.exec(`INSERT INTO rights_recipient (subject_id, request_id, processor_id, told_at, acknowledged_at, escalated_at)
		SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1::timestamptz + interval '1 hour' * (n / 6), CASE WHEN n % 6 = 1 THEN $1 END, CASE WHEN n % 6 = 2 THEN $1 END
		FROM generate_series(0, 23) n`, at)
	for quiet, want := range map[bool]int{true: 12, false: 15} { // of six told in each of three hours
		seen := make(map[store.Owed]bool)
		var last store.Owed
		for {
			page, err := db.Owing(t.Context(), at.Add(2*time.Hour), quiet, last, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, o := range page {
				if seen[o] {
					t.Fatalf("listed twice: %v", o)
				}
				seen[o] = true
			}
			last = page[len(page)-1]
		}
		if len(seen) != want {
			t.Errorf("quiet %t: %d are listed, want %d", quiet, len(seen), want)
		}
	}
}
