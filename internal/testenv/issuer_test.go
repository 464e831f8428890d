package testenv

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/privacy"
)

func TestIssuerTokensAreTaken(t *testing.T) {
	issuer := NewIssuer(t, time.Now)
	verifier, err := authn.New(t.Context(), issuer.Config, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer verifier.Close()
	officer, err := verifier.Verify(t.Context(), issuer.Token(t, "desk", privacy.RoleOfficer, privacy.RoleAuditor))
	if err != nil || officer.Client != "desk" || !officer.Has(privacy.RoleOfficer) || !officer.Has(privacy.RoleAuditor) {
		t.Errorf("got %+v, %v", officer, err)
	}
	id, err := privacy.NewSubjectID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	person, err := verifier.Verify(t.Context(), issuer.SubjectToken(t, "portal", id))
	if err != nil || person.Subject != id {
		t.Errorf("got %+v, %v", person, err)
	}
}
