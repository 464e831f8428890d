package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// Fail closed: whatever the decision lacks, nothing is released and the reason is typed.
func TestLaw2WhatADecisionLacks(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("law2@example.com")
	never := v.store("never@example.com", object{"email": "never@example.com", "country": "DE", "birth_date": "1990-12-10"})
	one := func(purpose, attribute, id string) object {
		return object{"purpose": purpose, "attributes": []string{attribute}, "subjects": []object{{"id": id}}}
	}
	for _, c := range []struct {
		name    string
		request object
		status  int
		code    string // of the problem, or the reason
	}{
		{"no consent", one("marketing.email", "email", never), 200, "consent_missing"},
		{"other purpose", one("marketing.sms", "email", id), 200, "consent_missing"},
		{"purpose not granted", one("service.support", "email", id), 200, "purpose_not_granted"},
		{"unknown purpose", one("marketing.pigeon", "email", id), 422, "unknown_purpose"},
		{"unknown attribute", one("marketing.email", "shoe_size", id), 422, "unknown_attribute"},
		{"unknown subject", one("marketing.email", "email", "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"), 200, "unknown_subject"},
		{"sensitive without explicit consent", one("marketing.email", "religion", id), 200, "sensitive_needs_explicit_consent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), c.request)
			if a.status != c.status || !strings.Contains(string(a.body), c.code) || strings.Contains(string(a.body), "@example.com") {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

// Fail closed: a policy that is broken in any way denies.
func TestLaw2BrokenPolicy(t *testing.T) {
	for name, rule := range map[string]string{
		"undefined":    `decision := x if { x := 1; x > 2 }`,
		"wrong shape":  `decision := "everything"`,
		"half":         `decision := {"permitted": {"email": "plain"}, "withheld": {}}`,
		"both":         `decision := {"permitted": {"email": "plain", "given_name": "plain"}, "withheld": {"email": "consent_missing"}}`,
		"unknown mode": `decision := {"permitted": {"email": "shout", "given_name": "plain"}, "withheld": {}}`,
		"conflict":     "decision := {\"permitted\": {}, \"withheld\": {}} if true\ndecision := {\"permitted\": {\"email\": \"plain\"}, \"withheld\": {}} if true",
		"error":        `decision := {"permitted": {"email": "plain", "given_name": "plain"}, "withheld": {"x": to_number("x")}}`,
	} {
		t.Run(name, func(t *testing.T) {
			v := setup(t)
			_, request := v.permitted("law2@example.com")
			v.publishModule("disclosure.rego", "package consentry.disclosure\n\n"+rule+"\n")
			a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), request)
			if strings.Contains(string(a.body), "law2@example.com") || strings.Contains(string(a.body), "Ada") {
				t.Fatalf("released: %s", a.body)
			}
			if a.status == http.StatusOK && strings.Count(string(a.body), "policy_error") != 2 || a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

// publishModule replaces every disclosure module of the policy in force by one.
func (v *vault) publishModule(name, module string) {
	v.t.Helper()
	current, err := v.node.Store.CurrentRevision(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	content, err := v.node.Store.Revision(v.t.Context(), current)
	if err != nil {
		v.t.Fatal(err)
	}
	revision, err := policy.ParseRevision(content)
	if err != nil {
		v.t.Fatal(err)
	}
	modules := map[string]string{name: module}
	for other, text := range revision.Modules {
		if strings.HasPrefix(text, "package consentry.authz") || strings.Contains(text, "\npackage consentry.authz") {
			modules[other] = text
		}
	}
	changed, err := policy.NewRevision(modules, revision.Data)
	if err != nil {
		v.t.Fatal(err)
	}
	if content, err = changed.Content(); err != nil {
		v.t.Fatal(err)
	}
	err = v.node.Store.Write(v.t.Context(), func(tx *store.Tx) error {
		_, err := tx.PublishRevision(v.t.Context(), changed.ID, content, "test", time.Now())
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// Fail closed: without Vault nothing is opened, and without PostgreSQL nothing is decided.
func TestLaw2WithoutVault(t *testing.T) {
	own := testenv.OwnVault(t)
	v := setupOn(t, testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) }), own.Addr(), own.RootToken(), withoutSegments)
	id, request := v.permitted("law2@example.com")
	second, url := v.start() // with no key page in memory
	if err := own.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := v.call(http.MethodPost, url+"/v1/disclosures", v.consumer(), request)
	if a.status != http.StatusServiceUnavailable || a.code() != "keyring_unavailable" || strings.Contains(string(a.body), "law2@") {
		t.Errorf("sealed: status %d: %s", a.status, a.body)
	}
	if a := v.call(http.MethodGet, url+"/readyz", "", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("ready while Vault is sealed: %d", a.status)
	}
	if a := v.call(http.MethodGet, url+"/healthz", "", nil); a.status != http.StatusOK {
		t.Errorf("not alive while Vault is sealed: %d", a.status)
	}
	if err := own.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return second.Service.Ready(t.Context()) == nil })
	a = v.call(http.MethodPost, url+"/v1/disclosures", v.consumer(), request)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), "law2@example.com") {
		t.Errorf("unsealed, subject %s: status %d: %s", id, a.status, a.body)
	}
}

func TestLaw2WithoutPostgres(t *testing.T) {
	own := testenv.OwnPostgres(t, testenv.Durable)
	v := setupOn(t, migrated(t, own), firstOf(testenv.Vault(t)), secondOf(testenv.Vault(t)))
	_, request := v.permitted("law2@example.com")
	if err := own.Crash(); err != nil {
		t.Fatal(err)
	}
	a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), request)
	if a.status != http.StatusServiceUnavailable || !strings.HasPrefix(a.code(), "database_") || strings.Contains(string(a.body), "law2@") {
		t.Errorf("without PostgreSQL: status %d: %s", a.status, a.body)
	}
	if a := v.call(http.MethodGet, v.url+"/readyz", "", nil); a.status != http.StatusServiceUnavailable {
		t.Errorf("ready without PostgreSQL: %d", a.status)
	}
	if err := own.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return v.node.Service.Ready(t.Context()) == nil })
	a = v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), request)
	if a.status != http.StatusOK || !strings.Contains(string(a.body), "law2@example.com") {
		t.Errorf("after a restart: status %d: %s", a.status, a.body)
	}
}

// migrated gives the URL of a database with the schema on a server of the test's own.
func migrated(t testing.TB, server *localserver.Postgres) string {
	t.Helper()
	url := server.URL("postgres")
	if err := store.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

func firstOf(a, _ string) string  { return a }
func secondOf(_, b string) string { return b }
