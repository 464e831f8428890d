package events_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
	"github.com/consentry/consentry/internal/webhook"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// vault is events and the custody that they come from, on a database and a keyring of its own.
type vault struct {
	*events.Service
	t       testing.TB
	custody *custody.Service
	clock   *testenv.Clock
	store   *store.Store
	owner   *pgx.Conn
}

// engine is shared by all tests: compiling the policy takes longer than most of them.
var engine = sync.OnceValue(func() *policy.Engine { return policy.NewEngine() })

func setup(t testing.TB) *vault {
	t.Helper()
	v := &vault{t: t, clock: testenv.NewClock()}
	url := testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) })
	var err error
	if v.owner, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.owner.Close(context.WithoutCancel(t.Context())) })
	keys, err := keyring.OpenFile(t.TempDir(), keyring.Options{Dev: true, Init: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	if v.store, err = store.Open(t.Context(), store.Config{URL: testenv.Login(t, url, "consentry_app")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.store.Close)
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	v.custody = custody.New(custody.Config{Store: v.store, Keyring: keys, Policy: engine(), Catalogue: words, Log: log, Now: v.clock.Read})
	t.Cleanup(v.custody.Close)
	if _, err := v.custody.PublishDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.Service = events.New(events.Config{Vault: v.custody, Store: v.store, Policy: engine(), Sender: webhook.New(webhook.Config{}), Log: log})
	return v
}

// count runs a query for one number.
func (v *vault) count(sql string, args ...any) (n int) {
	v.t.Helper()
	if err := v.owner.QueryRow(v.t.Context(), sql, args...).Scan(&n); err != nil {
		v.t.Fatal(err)
	}
	return n
}

var (
	steward  = custody.Caller{Caller: privacy.Caller{Client: "crm", Roles: []privacy.Role{privacy.RoleSteward}}, Request: "q1"}
	consumer = custody.Caller{Caller: privacy.Caller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleConsumer}}, Request: "q2"}
	officer  = custody.Caller{Caller: privacy.Caller{Client: "officer", Roles: []privacy.Role{privacy.RoleOfficer}}, Request: "q3"}
)

// put stores somebody found by an email and gives their id.
func (v *vault) put(email string) privacy.SubjectID {
	v.t.Helper()
	profile, err := v.custody.Normalise(custody.ProfileDraft{Source: "test", Identifiers: []custody.IdentifierDraft{{Type: "email", Value: email}}})
	if err != nil {
		v.t.Fatal(err)
	}
	stored, err := v.custody.UpsertOne(v.t.Context(), steward, profile, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	return stored.ID
}

func wantCode(t testing.TB, err error, kind privacy.Kind, code string) {
	t.Helper()
	if err == nil || privacy.KindOf(err) != kind || privacy.CodeOf(err) != code {
		t.Errorf("got %v, want kind %d, code %s", err, kind, code)
	}
}
