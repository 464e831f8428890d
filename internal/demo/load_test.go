package demo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/demo"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/ropa"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// newService is a vault on an empty database, with its own keyring.
func newService(t testing.TB) *custody.Service {
	t.Helper()
	service, _ := newServices(t)
	return service
}

func newServices(t testing.TB) (*custody.Service, *governance.Service) {
	t.Helper()
	url := testenv.Template(t, migrationsKey(t), func(url string) error { return store.Migrate(t.Context(), url) })
	rows, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rows.Close)
	keys, err := keyring.OpenFile(filepath.Join(t.TempDir(), "keys"), keyring.Options{Init: true, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	engine := policy.NewEngine()
	service := custody.New(custody.Config{Store: rows, Keyring: keys, Policy: engine, Catalogue: words, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	t.Cleanup(service.Close)
	if _, err := service.PublishDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	return service, governance.New(governance.Config{Custody: service, Store: rows, Policy: engine})
}

// migrationsKey changes with the schema.
func migrationsKey(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob("../store/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the migrations: %v", err)
	}
	digest := sha256.New()
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		digest.Write(content)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

func TestLoadStoresPeopleAndTheirConsents(t *testing.T) {
	service := newService(t)
	now := time.Now()
	people := demo.People(200, seed, now)

	// As after an interruption: some are there already, one of them with half a ledger.
	half := slices.Clone(people[:10])
	half[0].Consents = half[0].Consents[:2]
	earlier, err := demo.Load(t.Context(), service, half, nil)
	if err != nil {
		t.Fatal(err)
	}

	var told []int
	ids, err := demo.Load(t.Context(), service, people, func(done int) { told = append(told, done) })
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != len(people) || !slices.IsSorted(told) || told[len(told)-1] != len(people) {
		t.Errorf("progress was told as %v", told)
	}
	if len(ids) != len(people) || !slices.Equal(ids[:len(earlier)], earlier) {
		t.Fatalf("%d subjects of %d people, or others than before", len(ids), len(people))
	}
	statuses := map[privacy.ConsentStatus]int{}
	for i, id := range ids {
		address, err := service.NormaliseIdentifier(people[i].Draft.Identifiers[0], "")
		if err != nil {
			t.Fatal(err)
		}
		found, err := service.Subject(t.Context(), custody.Caller{}, custody.SubjectRef{Identifier: address})
		if err != nil || found != id {
			t.Fatalf("person %d is not found by their address: %v", i, err)
		}
		ledger, err := service.ConsentHistory(t.Context(), id, 0, 100)
		if err != nil || len(ledger) != len(people[i].Consents) {
			t.Errorf("person %d has %d records of %d: %v", i, len(ledger), len(people[i].Consents), err)
		}
		for _, record := range ledger {
			if record.Action != privacy.ActionWithdraw && (record.Notice.ID != string(record.Purpose) || len(record.NoticeHash) != 32 || record.Locale == "") {
				t.Errorf("person %d decided about %s without a notice: %+v", i, record.Purpose, record.Notice)
			}
		}
		states, err := service.Consents(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			if want := standingAt(people[i], state.Purpose, now); state.Status != want {
				t.Errorf("person %d is %s on %s, want %s", i, state.Status, state.Purpose, want)
			}
			statuses[state.Status]++
		}
	}
	for _, status := range []privacy.ConsentStatus{privacy.ConsentGranted, privacy.ConsentDenied, privacy.ConsentWithdrawn, privacy.ConsentExpired} {
		if statuses[status] == 0 {
			t.Errorf("nobody is %s on anything", status)
		}
	}
}

// Who tries an erasure out with one of the people can load the others again.
func TestLoadLeavesErasedPeopleOut(t *testing.T) {
	service := newService(t)
	people := demo.People(3, seed, time.Now())
	ids, err := demo.Load(t.Context(), service, people, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = service.WriteOnce(t.Context(), custody.Once{}, nil, func(tx *store.Tx) error {
		subject, err := tx.LockSubject(t.Context(), ids[0])
		if err != nil {
			return err
		}
		w := &store.Writes{}
		if _, err := service.MarkErased(t.Context(), tx, w, custody.System(), []custody.Doomed{{Subject: subject}}, service.Instant()); err != nil {
			return err
		}
		return tx.Send(t.Context(), w)
	})
	if err != nil {
		t.Fatal(err)
	}
	again, err := demo.Load(t.Context(), service, people, nil)
	if err != nil || !again[0].IsZero() || !slices.Equal(again[1:], ids[1:]) {
		t.Errorf("loaded again: %v, %v; at first %v", again, err, ids)
	}
}

// Who is asked for a consent by the built-in policy is shown the notice that the policy names.
func TestNoticesAreThoseOfThePolicy(t *testing.T) {
	service, governed := newServices(t)
	if _, err := demo.Load(t.Context(), service, demo.People(2, seed, time.Now()), nil); err != nil {
		t.Fatal(err)
	}
	record, err := governed.RecordsOfProcessing(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, activity := range record.Activities {
		asked := slices.ContainsFunc(activity.Bases, func(b ropa.LegalBasis) bool { return b.Regime == privacy.RegimeDefault && b.Basis == "consent" })
		if asked != (activity.Notice != nil) || asked && activity.Lifetime == "" || activity.Descriptions["en"] == "" || activity.Descriptions["zh"] == "" || activity.Retention == "" {
			t.Errorf("%s: notice %+v, lifetime %q", activity.Purpose, activity.Notice, activity.Lifetime)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	people := demo.People(crowd, seed, time.Now())
	for b.Loop() {
		b.StopTimer()
		service := newService(b)
		b.StartTimer()
		if _, err := demo.Load(b.Context(), service, people, nil); err != nil {
			b.Fatal(err)
		}
	}
}
