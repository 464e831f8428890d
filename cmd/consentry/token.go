package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/privacy"
)

type tokenCommand struct {
	Dir     string         `help:"Data directory of consentry dev, whose key signs." default:".dev" type:"path"`
	Client  string         `help:"The application." default:"crm-mailer"`
	Roles   []privacy.Role `help:"What it may do." default:"consumer"`
	Subject string         `help:"The subject's id, for the role subject." placeholder:"ID"`
	TTL     time.Duration  `help:"How long the token is valid." default:"1h"`
}

// Run implements `consentry token`.
func (c *tokenCommand) Run(_ context.Context, io stdio) error {
	issuer, err := devIssuer(c.Dir)
	if err != nil {
		return err
	}
	caller := privacy.Caller{Client: privacy.ClientID(c.Client), Roles: c.Roles}
	if c.Subject != "" {
		if caller.Subject, err = privacy.ParseSubjectID(c.Subject); err != nil {
			return err
		}
	}
	token, err := issuer.Token(caller, c.TTL, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, token)
	return err
}

const (
	devIssuerName = "https://dev.consentry.invalid"
	devAudience   = "consentry"
	issuerKeyFile = "issuer.key"
	jwksFile      = "jwks.json"
)

// devIssuer opens the token issuer of a dev directory.
func devIssuer(dir string) (*authn.Issuer, error) {
	seed, err := os.ReadFile(filepath.Join(dir, issuerKeyFile))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, privacy.Invalid("no_issuer_key", "there is no token key in the data directory; run consentry dev first")
	}
	return authn.NewIssuer(ed25519.NewKeyFromSeed(seed), devIssuerName, devAudience), nil
}

// ensureIssuer makes the token key and the public key set of a dev directory, once.
func ensureIssuer(dir string) (*authn.Issuer, error) {
	name := filepath.Join(dir, issuerKeyFile)
	if _, err := os.Stat(name); err != nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, privacy.Internal(err, "make the token key")
		}
		if err := os.WriteFile(name, key.Seed(), 0o600); err != nil {
			return nil, privacy.Internal(err, "keep the token key")
		}
	}
	issuer, err := devIssuer(dir)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, jwksFile), issuer.JWKS(), 0o600); err != nil {
		return nil, privacy.Internal(err, "write the key set")
	}
	return issuer, nil
}
