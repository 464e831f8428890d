package testenv

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/privacy"
)

// Issuer is an identity provider for one test, with a key and a published key set of its own.
type Issuer struct {
	// Config is for authn.New or the server's settings: it names this issuer and its keys.
	Config authn.Config

	issuer *authn.Issuer
	now    func() time.Time
}

// NewIssuer makes an identity provider whose tokens are issued at now.
func NewIssuer(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	config := authn.Config{
		Issuer:   "https://issuer.test",
		Audience: "consentry",
		JWKSFile: filepath.Join(t.TempDir(), "jwks.json"),
	}
	issuer := authn.NewIssuer(key, config.Issuer, config.Audience)
	if err := os.WriteFile(config.JWKSFile, issuer.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Issuer{Config: config, issuer: issuer, now: now}
}

// Token makes a token of an hour for an application in the given roles.
func (i *Issuer) Token(t testing.TB, client privacy.ClientID, roles ...privacy.Role) string {
	t.Helper()
	return i.token(t, privacy.Caller{Client: client, Roles: roles})
}

// PersonToken makes a token of an hour for somebody who works through an application.
func (i *Issuer) PersonToken(t testing.TB, client privacy.ClientID, person string, roles ...privacy.Role) string {
	t.Helper()
	token, err := i.issuer.PersonToken(privacy.Caller{Client: client, Roles: roles}, person, time.Hour, i.now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// SubjectToken makes a token of an hour for a person who calls for themselves, through an application.
func (i *Issuer) SubjectToken(t testing.TB, client privacy.ClientID, subject privacy.SubjectID) string {
	t.Helper()
	return i.token(t, privacy.Caller{Client: client, Roles: []privacy.Role{privacy.RoleSubject}, Subject: subject})
}

func (i *Issuer) token(t testing.TB, caller privacy.Caller) string {
	t.Helper()
	token, err := i.issuer.Token(caller, time.Hour, i.now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}
