package custody_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// vault is a service on a database and a keyring of its own. The service logs in as a deployment's
// does: as a member of consentry_app and nothing else.
type vault struct {
	*custody.Service
	t      testing.TB
	clock  *testenv.Clock
	url    string // as the superuser
	login  string // as the service
	dir    string // the keyring's
	keys   *keyring.Keyring
	store  *store.Store
	engine *policy.Engine
	owner  *pgx.Conn

	confirming custody.Confirming
}

// engine is shared by the first services of all tests: compiling the policy takes longer than most of them.
var engine = sync.OnceValue(func() *policy.Engine { return policy.NewEngine() })

func setup(t testing.TB) *vault {
	t.Helper()
	v := &vault{t: t, clock: testenv.NewClock(), dir: t.TempDir(), engine: engine()}
	v.url = testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) })
	v.login = testenv.Login(t, v.url, "consentry_app")
	var err error
	if v.owner, err = pgx.Connect(t.Context(), v.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.owner.Close(context.WithoutCancel(t.Context())) })
	v.start()
	if _, err := v.PublishDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// start puts a service together over the vault's database and keyring.
func (v *vault) start() {
	v.t.Helper()
	var err error
	if v.keys, err = keyring.OpenFile(v.dir, keyring.Options{Dev: true, Init: true}); err != nil {
		v.t.Fatal(err)
	}
	if v.store, err = store.Open(v.t.Context(), store.Config{URL: v.login}); err != nil {
		v.t.Fatal(err)
	}
	words, err := catalogue.Load()
	if err != nil {
		v.t.Fatal(err)
	}
	v.Service = custody.New(custody.Config{Store: v.store, Keyring: v.keys, Policy: v.engine, Catalogue: words, Log: slog.New(slog.DiscardHandler), Now: v.clock.Read, Origin: "test.example/audit", Confirming: v.confirming})
	service, opened, keys := v.Service, v.store, v.keys
	v.t.Cleanup(func() {
		service.Close()
		opened.Close()
		if err := keys.Close(); err != nil {
			v.t.Error(err)
		}
	})
}

// another gives a second service over the same database and keys, as on another machine.
func (v *vault) another() *vault {
	v.t.Helper()
	other := *v
	other.engine = policy.NewEngine()
	other.start()
	return &other
}

// exec runs a statement as the superuser, as somebody does who has taken the database over.
func (v *vault) exec(sql string, args ...any) {
	v.t.Helper()
	tag, err := v.owner.Exec(v.t.Context(), sql, args...)
	if err != nil {
		v.t.Fatal(err)
	}
	if (tag.Update() || tag.Delete()) && tag.RowsAffected() == 0 {
		v.t.Fatalf("no row was touched by %s", sql)
	}
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

type fields = map[privacy.AttributeName]any

// profile normalises a profile of the given emails and attributes; nil deletes.
func (v *vault) profile(emails []string, attributes fields) custody.Profile {
	v.t.Helper()
	draft := custody.ProfileDraft{Source: "test", Attributes: raw(v.t, attributes)}
	for _, email := range emails {
		draft.Identifiers = append(draft.Identifiers, custody.IdentifierDraft{Type: "email", Value: email})
	}
	profile, err := v.Normalise(draft)
	if err != nil {
		v.t.Fatal(err)
	}
	return profile
}

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
	return v.upsert(v.profile([]string{email}, attributes)).ID
}

func (v *vault) upsert(profile custody.Profile) custody.Upserted {
	v.t.Helper()
	stored, err := v.UpsertOne(v.t.Context(), steward, profile, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	return stored
}

// patch changes attributes of one subject.
func (v *vault) patch(id privacy.SubjectID, attributes fields) {
	v.t.Helper()
	values, err := v.NormaliseAttributes(raw(v.t, attributes))
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.UpdateAttributes(v.t.Context(), steward, id, values, "test", custody.Once{}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vault) decide(id privacy.SubjectID, action privacy.ConsentAction) custody.Recorded {
	v.t.Helper()
	return v.consent(id, custody.Consent{Action: action})
}

// consent records a consent for marketing by email.
func (v *vault) consent(id privacy.SubjectID, consent custody.Consent) custody.Recorded {
	v.t.Helper()
	consent.Purpose = marketing
	recorded, err := v.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	return recorded
}

const marketing privacy.PurposeName = "marketing.email"

// told is what one subject's disclosure says of each attribute: its JSON, or "!" and the reason.
type told map[privacy.AttributeName]string

func (v *vault) ask(attributes []privacy.AttributeName, ids ...privacy.SubjectID) ([]told, error) {
	request := custody.Request{Purpose: marketing, Attributes: attributes}
	for _, id := range ids {
		request.Subjects = append(request.Subjects, custody.SubjectRef{ID: id})
	}
	disclosed, err := v.Disclose(v.t.Context(), consumer, request)
	if err != nil {
		if disclosed != nil {
			v.t.Error("an error came with an answer")
		}
		return nil, err
	}
	answers := make([]told, len(ids))
	for i, d := range disclosed.Disclosures {
		answers[i] = told{}
		for _, released := range d.Attributes {
			answers[i][released.Name] = string(released.JSON)
		}
		for _, withheld := range d.Withheld {
			if _, both := answers[i][withheld.Name]; both {
				v.t.Errorf("%s is released and withheld", withheld.Name)
			}
			answers[i][withheld.Name] = "!" + string(withheld.Reason)
		}
		if len(answers[i]) != len(attributes) {
			v.t.Errorf("%d of %d attributes are accounted for", len(answers[i]), len(attributes))
		}
	}
	return answers, nil
}

// tell asks for attributes of one subject, which must work.
func (v *vault) tell(id privacy.SubjectID, attributes ...privacy.AttributeName) told {
	v.t.Helper()
	answers, err := v.ask(attributes, id)
	if err != nil {
		v.t.Fatal(err)
	}
	return answers[0]
}

func (v *vault) wantTold(id privacy.SubjectID, want told) {
	v.t.Helper()
	names := make([]privacy.AttributeName, 0, len(want))
	for name := range want {
		names = append(names, name)
	}
	for name, got := range v.tell(id, names...) {
		if got != want[name] {
			v.t.Errorf("%s: %s, want %s", name, got, want[name])
		}
	}
}

// newest gives the newest entries of the audit log about a subject.
func (v *vault) newest(id privacy.SubjectID, limit int) []audit.Entry {
	v.t.Helper()
	entries, _, err := v.Entries(v.t.Context(), custody.AuditFilter{Subject: id, Limit: limit})
	if err != nil {
		v.t.Fatal(err)
	}
	return entries
}

func wantCode(t testing.TB, err error, kind privacy.Kind, code string) {
	t.Helper()
	if err == nil || privacy.KindOf(err) != kind || privacy.CodeOf(err) != code {
		t.Errorf("got %v, want kind %d, code %s", err, kind, code)
	}
}

// hideSigningKey makes the keyring unable to sign, as when Vault is away; key pages in memory go on serving.
func (v *vault) hideSigningKey() {
	v.t.Helper()
	if err := os.Rename(filepath.Join(v.dir, "sign"), filepath.Join(v.dir, "gone")); err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.dir, "sign"), nil, 0o600); err != nil {
		v.t.Fatal(err)
	}
}
