package store_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Whatever the filter and the page, the pages together are what filtering all entries in memory
// gives: nothing is left out and nothing comes twice.
func TestAuditEntriesFilterAndPage(t *testing.T) {
	t.Parallel()
	db := setup(t)
	subjects := []privacy.SubjectID{{}, {1}, {2}}
	clients := []privacy.ClientID{"crm", "mailer", "desk"}
	purposes := []privacy.PurposeName{"", "marketing.email", "service.support"}
	objects := []string{"", "draft/a", "draft/a@b", "revision/b"}
	decision := audit.Decision{Revision: "r", Input: []byte(`{}`), Outcome: []byte(`{}`)}
	var all []audit.Entry
	for n := range 40 {
		at := start.Add(time.Duration(n/3) * time.Minute) // several batches of one moment
		var drafts []audit.Draft
		for i := range 1 + n%5 {
			draft := audit.Draft{At: at.Add(time.Duration(i) * time.Second), Action: audit.ActionDisclosure, Client: clients[(n+i)%3], Subject: subjects[(n*i)%3], Purpose: purposes[i%3], RequestID: "r"}
			if i%2 == 0 {
				draft.Decision, draft.Roles = decision.Hash(), []privacy.Role{"consumer", "steward"}
			} else {
				draft.Attributes = []privacy.AttributeName{"city", "email"}
			}
			if n%4 == 0 && i < 2 {
				draft.Object, draft.Actor = objects[1+(n/4+i)%3], privacy.ActorID(objects[1-i])
			}
			drafts = append(drafts, draft)
		}
		if n%3 == 0 { // and a run, between single ones
			for i := range 16 + n {
				draft := audit.Draft{At: at, Action: audit.ActionDisclosure, Client: clients[n%3], Subject: subjects[i%3], Purpose: purposes[n%2], RequestID: "run"}
				if i%4 != 0 {
					draft.Decision = decision.Hash()
				}
				drafts = append(drafts, draft)
			}
			drafts = append(drafts, audit.Draft{At: at, Action: audit.ActionDisclosure, Client: "crm"})
		}
		all = append(all, db.commit(at, drafts, decision).Entries...)
	}
	slices.SortFunc(all, func(a, b audit.Entry) int {
		return cmp.Or(bytes.Compare(b.Name.BatchID[:], a.Name.BatchID[:]), cmp.Compare(b.Name.ID, a.Name.ID))
	})
	rapid.Check(t, func(rt *rapid.T) {
		filter := store.AuditFilter{
			Subject: rapid.SampledFrom(append(subjects, privacy.SubjectID{9})).Draw(rt, "subject"),
			Client:  rapid.SampledFrom(append(clients, "", "", "nobody")).Draw(rt, "client"),
			Purpose: rapid.SampledFrom(purposes).Draw(rt, "purpose"),
			Object:  rapid.SampledFrom(append(objects, "", "")).Draw(rt, "object"),
			Limit:   rapid.IntRange(1, 50).Draw(rt, "limit"),
			Within:  rapid.SampledFrom([]int{0, 1, 7, 1000}).Draw(rt, "within"),
		}
		moment := rapid.Custom(func(rt *rapid.T) time.Time {
			if rapid.Bool().Draw(rt, "none") {
				return time.Time{}
			}
			return start.Add(time.Duration(rapid.IntRange(-10, 900).Draw(rt, "second")) * time.Second)
		})
		filter.Since, filter.Until = moment.Draw(rt, "since"), moment.Draw(rt, "until")
		var want []audit.Entry
		for _, e := range all {
			if matches(e, filter) {
				want = append(want, e)
			}
		}
		var got []audit.Entry
		for {
			page, next, err := db.AuditEntries(t.Context(), filter)
			if err != nil {
				rt.Fatal(err)
			}
			if len(page) > filter.Limit {
				rt.Fatalf("%d entries, limit %d", len(page), filter.Limit)
			}
			got = append(got, page...)
			if next.IsZero() {
				break
			}
			filter.Before = next
		}
		if len(got) != len(want) {
			rt.Fatalf("%d entries, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i].LeafHash() != want[i].LeafHash() {
				rt.Fatalf("entry %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// Whatever is asked for and however long the log, a page by client or purpose looks at a bounded number of entries.
func TestAuditEntriesLookThroughABoundedNumber(t *testing.T) {
	t.Parallel()
	db := setup(t)
	const entries, within = 20_000, 1_000
	db.exec(`INSERT INTO audit_entry SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 0, now(), 'disclosure', CASE n WHEN 1 THEN 'rare' ELSE 'crm' END, '', NULL, 'marketing.email', NULL, '{}', '{}'
		FROM generate_series(1, $1) n`, entries)
	db.exec(`ANALYZE audit_entry`)
	sent := &recorder{}
	s, err := store.Open(t.Context(), store.Config{URL: db.url, Tracer: sent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	read := regexp.MustCompile(`actual time=\S+ rows=(\d+)|Rows Removed by Filter: (\d+)`)
	filter := store.AuditFilter{Client: "rare", Limit: 10, Within: within}
	var found, pages int
	for {
		sent.statements = nil
		page, next, err := s.AuditEntries(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		found, pages = found+len(page), pages+1
		for _, statement := range sent.statements {
			for _, match := range read.FindAllStringSubmatch(db.explain("EXPLAIN (ANALYZE, TIMING ON) "+statement.sql, statement.args...), -1) {
				if n, _ := strconv.Atoi(match[1] + match[2]); n > within {
					t.Fatalf("page %d read %d entries", pages, n)
				}
			}
		}
		if next.IsZero() {
			break
		}
		filter.Before = next
	}
	if found != 1 || pages < entries/within {
		t.Errorf("%d entries found on %d pages", found, pages)
	}
}

func matches(e audit.Entry, f store.AuditFilter) bool {
	return (f.Subject.IsZero() || e.Subject == f.Subject) && (f.Client == "" || e.Client == f.Client) && (f.Purpose == "" || e.Purpose == f.Purpose) &&
		(f.Object == "" || e.Object == f.Object || strings.HasPrefix(e.Object, f.Object+"@")) &&
		(f.Since.IsZero() || !e.At.Before(f.Since)) && (f.Until.IsZero() || e.At.Before(f.Until))
}

func TestAuditEntryComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	db := setup(t)
	decision := audit.Decision{Revision: "r1", Input: []byte(`{"a":1}`), Outcome: []byte(`{"b":2}`)}
	written := db.commit(start, []audit.Draft{
		{Action: audit.ActionDisclosure, Client: "crm", RequestID: "q", Subject: privacy.SubjectID{7}, Purpose: "p", Decision: decision.Hash(), Roles: []privacy.Role{"agent", "consumer"}},
		{Action: audit.ActionAttributesUpdate, Client: "crm", Attributes: []privacy.AttributeName{"city"}, At: start.Add(time.Microsecond)},
	}, decision).Entries
	for _, want := range written {
		got, err := db.AuditEntry(t.Context(), want.Name)
		if err != nil || got.LeafHash() != want.LeafHash() {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	stored, err := db.Decision(t.Context(), decision.Hash())
	if err != nil || !reflect.DeepEqual(stored, decision) {
		t.Errorf("got %v, %v", stored, err)
	}
	_, err = db.AuditEntry(t.Context(), audit.EntryName{BatchID: written[0].Name.BatchID, ID: 2})
	wantCode(t, err, privacy.KindNotFound, "entry_not_found")
	_, err = db.Decision(t.Context(), audit.Hash{1})
	wantCode(t, err, privacy.KindNotFound, "decision_not_found")
}

// A batch is written whole or not at all, entries and decisions alike.
func TestCommitAuditIsOneTransaction(t *testing.T) {
	t.Parallel()
	db := setup(t)
	decision := audit.Decision{Revision: "r", Input: []byte(`{}`), Outcome: []byte(`{}`)}
	b := batch(t, start, []audit.Draft{{Action: audit.ActionDisclosure, Decision: decision.Hash()}}, decision)
	db.exec(`INSERT INTO audit_batch (batch_id, hashes) VALUES ($1, sha256('x'))`, [16]byte(b.ID)) // the last statement of the batch fails
	_, err := db.CommitAudit(t.Context(), b)
	wantCode(t, err, privacy.KindInternal, "internal")
	var rows int
	if err := db.owner.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM decision)`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows of a failed batch stayed, %v", rows, err)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	db := setup(t)
	var key store.IdempotencyKey
	key.Client, key.Key = "crm", rand.Text()
	recall := func(key store.IdempotencyKey) (answer []byte, ok bool, err error) {
		err = db.Write(t.Context(), func(tx *store.Tx) error {
			answer, ok, err = tx.Recall(t.Context(), key)
			return err
		})
		return answer, ok, err
	}
	if _, ok, err := recall(key); ok || err != nil {
		t.Fatalf("recalled what was never kept: %v", err)
	}
	db.write(func(tx *store.Tx) error {
		return tx.Remember(t.Context(), key, []byte("{}"), start)
	})
	if answer, ok, err := recall(key); !ok || err != nil || string(answer) != "{}" {
		t.Errorf("got %v, %t, %v", answer, ok, err)
	}
	other := key
	other.Fingerprint[3] = 1
	_, _, err := recall(other)
	wantCode(t, err, privacy.KindConflict, "idempotency_key_reused")
	other = key
	other.Client = "desk"
	if _, ok, err := recall(other); ok || err != nil {
		t.Errorf("a client got another's answer, %v", err)
	}
	if err := db.ForgetAnswers(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := recall(key); !ok {
		t.Error("an answer was forgotten too early")
	}
	if err := db.ForgetAnswers(t.Context(), start.Add(time.Microsecond)); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := recall(key); ok {
		t.Error("an answer was kept too long")
	}
}
