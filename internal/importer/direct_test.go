package importer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/importer"
	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

const countSubjects = "SELECT count(*) FROM subject"

func TestRealTablesIntoTheDatabase(t *testing.T) {
	for _, c := range []struct {
		mapping string
		path    []string
		want    int
	}{
		{"marketing_campaign.yaml", []string{"data", "marketing_campaign", "marketing_campaign.csv"}, 2240},
		{"bank.yaml", []string{"data", "bank_marketing", "bank.csv"}, 4521},
	} {
		t.Run(c.mapping, func(t *testing.T) {
			file := testenv.SharedData(t, c.path...)
			url := database(t)
			service := open(t, url)
			j := newJob(t, file, mappingFile(t, c.mapping))
			summary, err := j.run(t.Context(), t, direct(service))
			if err != nil || summary.Counts != (importer.Counts{Lines: c.want, Created: c.want}) || !summary.Complete {
				t.Fatalf("%+v, %v", summary, err)
			}
			t.Logf("%.0f records a second", float64(summary.Lines)/summary.Seconds)
			if n := queryInt(t, url, countSubjects); n != c.want {
				t.Errorf("%d subjects, want %d", n, c.want)
			}
		})
	}
}

// unlucky is a vault whose connection is lost after some calls: what was asked is done, but the
// answer never comes. That is also all a killed process leaves.
type unlucky struct {
	importer.Vault
	left *atomic.Int64
	err  error
}

func (u unlucky) Store(ctx context.Context, records []importer.Record) ([]importer.Stored, error) {
	stored, err := u.Vault.Store(ctx, records)
	if u.left.Add(-1) < 0 {
		return nil, u.err
	}
	return stored, err
}

// TestInterruptedAnywhere: however an import is interrupted, and how often, going on ends with the
// subjects, counts and rejects of one that was not.
func TestInterruptedAnywhere(t *testing.T) {
	text, created, updated, rejected := people(1200)
	file := writeFile(t, text)
	random := rand.New(rand.NewPCG(1, 2))
	whole := newJob(t, file, peopleMapping)
	if _, err := whole.run(t.Context(), t, direct(open(t, database(t)))); err != nil {
		t.Fatal(err)
	}
	wantRejects := readRejects(t, whole.rejects)
	for _, how := range []string{"signal", "kill"} {
		t.Run(how, func(t *testing.T) {
			url := database(t)
			service := open(t, url)
			j := newJob(t, file, peopleMapping)
			j.batch = 25
			var summary importer.Summary
			interruptions := 0
			for done := false; !done; {
				ctx, cancel := context.WithCancel(t.Context())
				left := new(atomic.Int64)
				left.Store(random.Int64N(20))
				through := func(identity importer.Identity) importer.Vault {
					return unlucky{direct(service)(identity), left, errors.New("killed")}
				}
				if how == "signal" {
					rounds := random.IntN(6)
					j.progress = func(importer.Progress) {
						if rounds--; rounds < 0 {
							cancel()
						}
					}
					through = direct(service)
				}
				var err error
				summary, err = j.run(ctx, t, through)
				done = err == nil
				if how == "signal" && err != nil && !errors.Is(err, importer.ErrInterrupted) {
					t.Fatal(err)
				}
				if sum := summary.Created + summary.Updated + summary.Rejected; sum != summary.Lines {
					t.Fatalf("%d lines, but %d outcomes", summary.Lines, sum)
				}
				if !done {
					interruptions++
				}
				if interruptions > 500 {
					t.Fatal("the import makes no progress")
				}
				cancel()
			}
			if want := (importer.Counts{Lines: 1200, Created: created, Updated: updated, Rejected: rejected}); summary.Counts != want {
				t.Errorf("%+v, want %+v", summary.Counts, want)
			}
			if n := queryInt(t, url, countSubjects); n != created {
				t.Errorf("%d subjects, want %d", n, created)
			}
			if got := readRejects(t, j.rejects); !slices.Equal(got, wantRejects) {
				t.Errorf("%d rejects, want %d", len(got), len(wantRejects))
			}
			t.Logf("%d interruptions", interruptions)
		})
	}
}

// TestPostgresCrash: the database dies in the middle, twice: once it is back in time, once not.
func TestPostgresCrash(t *testing.T) {
	server := testenv.OwnPostgres(t, testenv.Durable)
	url := server.URL("postgres")
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	text, created, updated, rejected := people(3000)
	service := open(t, url)
	j := newJob(t, writeFile(t, text), peopleMapping)
	j.batch, j.patience = 50, 300*time.Millisecond
	j.progress = func(p importer.Progress) {
		if p.Lines == 500 {
			if err := server.Crash(); err != nil {
				t.Error(err)
			}
		}
	}
	summary, err := j.run(t.Context(), t, direct(service))
	if privacy.KindOf(err) != privacy.KindUnavailable || summary.Complete || summary.Lines < 500 || summary.Lines >= 3000 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	crashed := false
	j.patience = 30 * time.Second
	j.progress = func(p importer.Progress) {
		if crashed || p.Lines < 1500 {
			return
		}
		crashed = true
		if err := errors.Join(server.Crash(), server.Start(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
	}
	summary, err = j.run(t.Context(), t, direct(service))
	if want := (importer.Counts{Lines: 3000, Created: created, Updated: updated, Rejected: rejected}); err != nil || summary.Counts != want || !crashed {
		t.Fatalf("%+v, want %+v; %v", summary, want, err)
	}
	if n := queryInt(t, url, countSubjects); n != created {
		t.Errorf("%d subjects, want %d", n, created)
	}
}

// Two files of one size with the same beginning, or two streams, can hold different people in the same place: the withdrawal
// of the second is recorded too, and that of the first once.
func TestConsentsOfFilesThatLookAlike(t *testing.T) {
	url := database(t)
	service := open(t, url)
	if _, err := service.PublishDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	vault := importer.NewDirect(service, custody.Caller{Caller: privacy.Caller{Client: "test-import"}}, importer.Identity{Size: -1, Head: "h", Mapping: "m"})
	for _, email := range []string{"ada@example.com", "bob@example.com", "ada@example.com"} {
		record := importer.Record{Number: 20_000, Draft: mapping.Draft{Source: "crm", CollectedAt: time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC),
			Identifiers: []mapping.Identifier{{Type: "email", Value: privacy.NewCleartext(email)}},
			Consents:    []mapping.Consent{{Purpose: "marketing.email", Action: privacy.ActionWithdraw}}}}
		stored, err := vault.Store(t.Context(), []importer.Record{record})
		if err != nil || stored[0].Err != nil || stored[0].Consents != 1 {
			t.Fatalf("%+v, %v", stored, err)
		}
	}
	if n := queryInt(t, url, `SELECT count(*) FROM consent_record WHERE action = 'withdraw'`); n != 2 {
		t.Errorf("%d withdrawals on record, want one of each", n)
	}
}
