package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// vault is a running vault, or several nodes of one, on real PostgreSQL and a real Vault server.
type vault struct {
	t        testing.TB
	database string // URL of the schema's owner
	keys     keyring.VaultConfig
	issuer   *testenv.Issuer
	logs     *logBuffer
	node     *node.Node
	url      string
	client   *http.Client
	adjust   []func(*node.Config)
}

// setup starts a vault of its own on the shared servers.
func setup(t testing.TB) *vault { return setupWith(t) }

// setupWith is setup with other settings for its nodes.
func setupWith(t testing.TB, adjust ...func(*node.Config)) *vault {
	t.Helper()
	address, token := testenv.Vault(t)
	return setupOn(t, testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) }), address, token, adjust...)
}

// setupOn starts a vault on the given servers; the database has the schema already.
func setupOn(t testing.TB, database, vaultAddress, vaultToken string, adjust ...func(*node.Config)) *vault {
	t.Helper()
	var settings node.Config
	for _, set := range adjust {
		set(&settings)
	}
	if settings.Now == nil {
		settings.Now = time.Now
	}
	v := &vault{t: t, database: database, issuer: testenv.NewIssuer(t, settings.Now), logs: &logBuffer{}, client: &http.Client{Timeout: time.Minute}, adjust: adjust}
	v.keys = keyring.VaultConfig{Address: vaultAddress, KVMount: testenv.Mount("kv"), TransitMount: testenv.Mount("transit"),
		Auth: keyring.VaultAuth{Method: keyring.AuthToken, Token: keyring.Secret(vaultToken)}}
	v.node, v.url = v.start()
	return v
}

// start adds a node and gives it with its URL.
func (v *vault) start() (*node.Node, string) {
	v.t.Helper()
	n, err := v.open()
	if err != nil {
		v.t.Fatal(err)
	}
	server := httptest.NewServer(n.Handler())
	v.t.Cleanup(func() {
		server.Close()
		if err := n.Close(v.t.Context()); err != nil {
			v.t.Error(err)
		}
	})
	return n, server.URL
}

// clock is the time of a vault that a test lets pass. It runs as the system's does, ahead of it.
type clock struct{ ahead atomic.Int64 }

func (c *clock) set(config *node.Config) { config.Now = c.now }
func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration)    { c.ahead.Add(int64(d)) }

// reach lets time pass until an instant.
func (c *clock) reach(at time.Time) { c.pass(at.Sub(c.now())) }

// withoutSegments is for nodes that are to have no key page in memory: an index would read what it needs of them.
func withoutSegments(c *node.Config) { c.NoSegments = true }

// open opens a node, which may fail.
func (v *vault) open() (*node.Node, error) {
	v.t.Helper()
	log := slog.New(slog.NewJSONHandler(v.logs, nil))
	keys, err := keyring.OpenVault(v.t.Context(), v.keys, keyring.Options{Init: true, Log: log})
	if err != nil {
		v.t.Fatal(err)
	}
	config := node.Config{DatabaseURL: v.database, Keyring: keys, Authn: v.issuer.Config, Log: log, Version: "test", PerSecond: 1e6}
	for _, adjust := range v.adjust {
		adjust(&config)
	}
	return node.Open(v.t.Context(), config)
}

// logBuffer collects what all nodes log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// token gives a token for a client in a role.
func (v *vault) token(client privacy.ClientID, roles ...privacy.Role) string {
	return v.issuer.Token(v.t, client, roles...)
}

func (v *vault) steward() string  { return v.token("crm", privacy.RoleSteward) }
func (v *vault) consumer() string { return v.token("crm-mailer", privacy.RoleConsumer) }
func (v *vault) auditor() string  { return v.token("auditor", privacy.RoleAuditor) }

// answer is what a call came back with.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// into decodes the body.
func (a answer) into(t testing.TB, target any) {
	t.Helper()
	if err := json.Unmarshal(a.body, target); err != nil {
		t.Fatalf("status %d, body %.300s: %v", a.status, a.body, err)
	}
}

// code gives the code of a problem, "" when the answer is none.
func (a answer) code() string {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &problem)
	return problem.Code
}

// call sends a request to a node and reads the whole answer. Body may be a string, raw, or anything JSON.
func (v *vault) call(method, url, token string, body any) answer {
	v.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			v.t.Fatal(err)
		}
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, url, reader)
	if err != nil {
		v.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	request.Header.Set("Content-Type", "application/json")
	return v.do(request)
}

func (v *vault) do(request *http.Request) answer {
	v.t.Helper()
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, content}
}

// post is call on the first node, and fails unless the status is the one wanted.
func (v *vault) post(path, token string, body any, want int) answer {
	v.t.Helper()
	a := v.call(http.MethodPost, v.url+path, token, body)
	if a.status != want {
		v.t.Fatalf("POST %s: status %d, want %d: %.500s", path, a.status, want, a.body)
	}
	return a
}

// get is call on the first node, and fails unless the status is 200.
func (v *vault) get(path, token string) answer {
	v.t.Helper()
	a := v.call(http.MethodGet, v.url+path, token, nil)
	if a.status != http.StatusOK {
		v.t.Fatalf("GET %s: status %d: %.500s", path, a.status, a.body)
	}
	return a
}

type object = map[string]any

// store puts a person into the vault and gives their id.
func (v *vault) store(email string, attributes object) string {
	v.t.Helper()
	a := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{
		"identifiers": []object{{"type": "email", "value": email}}, "attributes": attributes, "source": "test"})
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		v.t.Fatalf("store: status %d: %.500s", a.status, a.body)
	}
	var stored struct{ ID string }
	a.into(v.t, &stored)
	return stored.ID
}

// consent records a decision of a subject.
func (v *vault) consent(id, purpose, action string) {
	v.t.Helper()
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": purpose, "action": action}, http.StatusCreated)
}

// disclosed is the answer to a disclosure.
type disclosed struct {
	Revision    string
	Disclosures []struct {
		Subject    string
		Attributes map[string]any
		Withheld   map[string]string
	}
}

// disclose asks for attributes of subjects, by id, as crm-mailer.
func (v *vault) disclose(purpose string, attributes []string, ids ...string) disclosed {
	v.t.Helper()
	refs := make([]object, len(ids))
	for i, id := range ids {
		refs[i] = object{"id": id}
	}
	var d disclosed
	v.post("/v1/disclosures", v.consumer(), object{"purpose": purpose, "attributes": attributes, "subjects": refs}, http.StatusOK).into(v.t, &d)
	return d
}
