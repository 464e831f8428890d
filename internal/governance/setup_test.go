package governance_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// vault is governance and what it governs, on a database and a keyring of its own.
type vault struct {
	*governance.Service
	t       testing.TB
	custody *custody.Service
	clock   *testenv.Clock
	login   string // as the service
	keys    *keyring.Keyring
	store   *store.Store
	engine  *policy.Engine
	owner   *pgx.Conn
	try     func(context.Context, policy.Revision) (policy.Report, error)
}

// engine is shared by all tests: compiling the policy takes longer than most of them.
var engine = sync.OnceValue(func() *policy.Engine { return policy.NewEngine() })

func setup(t testing.TB) *vault {
	t.Helper()
	v := &vault{t: t, clock: testenv.NewClock(), engine: engine()}
	url := testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) })
	v.login = testenv.Login(t, url, "consentry_app")
	var err error
	if v.owner, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.owner.Close(context.WithoutCancel(t.Context())) })
	if v.keys, err = keyring.OpenFile(t.TempDir(), keyring.Options{Dev: true, Init: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.keys.Close(); err != nil {
			t.Error(err)
		}
	})
	v.open(0)
	if _, err := v.custody.PublishDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// open puts the services together over a store of so many connections; 0 is as many as usual.
func (v *vault) open(connections int32) {
	v.t.Helper()
	opened, err := store.Open(v.t.Context(), store.Config{URL: v.login, MaxConns: connections})
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(opened.Close)
	words, err := catalogue.Load()
	if err != nil {
		v.t.Fatal(err)
	}
	v.store = opened
	v.custody = custody.New(custody.Config{Store: opened, Keyring: v.keys, Policy: v.engine, Catalogue: words, Log: slog.New(slog.DiscardHandler), Now: v.clock.Read})
	v.t.Cleanup(v.custody.Close)
	v.Service = governance.New(governance.Config{Custody: v.custody, Store: opened, Policy: v.engine, Now: v.clock.Read, Try: v.try})
}

// exec runs a statement as the superuser, as somebody does who has taken the database over.
func (v *vault) exec(sql string, args ...any) {
	v.t.Helper()
	if tag, err := v.owner.Exec(v.t.Context(), sql, args...); err != nil || tag.RowsAffected() == 0 {
		v.t.Fatalf("%d rows: %v", tag.RowsAffected(), err)
	}
}

var (
	steward = custody.Caller{Caller: privacy.Caller{Client: "crm", Roles: []privacy.Role{privacy.RoleSteward}}, Request: "q1"}
	officer = custody.Caller{Caller: privacy.Caller{Client: "officer", Roles: []privacy.Role{privacy.RoleOfficer}}, Request: "q3"}
)

type fields = map[privacy.AttributeName]any

func raw(t testing.TB, attributes fields) map[privacy.AttributeName]json.RawMessage {
	t.Helper()
	encoded := make(map[privacy.AttributeName]json.RawMessage, len(attributes))
	for name, value := range attributes {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		encoded[name] = text
	}
	return encoded
}

// put stores somebody found by an email and gives their id.
func (v *vault) put(email string, attributes fields) privacy.SubjectID {
	v.t.Helper()
	profile, err := v.custody.Normalise(custody.ProfileDraft{Source: "test", Attributes: raw(v.t, attributes), Identifiers: []custody.IdentifierDraft{{Type: "email", Value: email}}})
	if err != nil {
		v.t.Fatal(err)
	}
	stored, err := v.custody.UpsertOne(v.t.Context(), steward, profile, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	return stored.ID
}

// patch changes attributes of one subject.
func (v *vault) patch(id privacy.SubjectID, attributes fields) {
	v.t.Helper()
	values, err := v.custody.NormaliseAttributes(raw(v.t, attributes))
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.custody.UpdateAttributes(v.t.Context(), steward, id, values, "test", custody.Once{}); err != nil {
		v.t.Fatal(err)
	}
}

// consent records a consent for marketing by email.
func (v *vault) consent(id privacy.SubjectID, consent custody.Consent) {
	v.t.Helper()
	consent.Purpose = "marketing.email"
	if _, err := v.custody.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{}); err != nil {
		v.t.Fatal(err)
	}
}

// publish puts a revision in force, as if it had been approved.
func (v *vault) publish(revision policy.Revision) {
	v.t.Helper()
	content, err := revision.Content()
	if err != nil {
		v.t.Fatal(err)
	}
	err = v.store.Write(v.t.Context(), func(tx *store.Tx) error {
		_, err := tx.PublishRevision(v.t.Context(), revision.ID, content, "officer", v.clock.Read())
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// draft begins a draft and gives it with its name.
func (v *vault) draft(begin governance.NewPolicyDraft) (governance.Draft, governance.DraftID) {
	v.t.Helper()
	created, err := v.CreateDraft(v.t.Context(), officer, begin, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	id, err := governance.ParseDraftID(created.ID)
	if err != nil {
		v.t.Fatal(err)
	}
	return created, id
}

func wantCode(t testing.TB, err error, kind privacy.Kind, code string) {
	t.Helper()
	if err == nil || privacy.KindOf(err) != kind || privacy.CodeOf(err) != code {
		t.Errorf("got %v, want kind %d, code %s", err, kind, code)
	}
}
