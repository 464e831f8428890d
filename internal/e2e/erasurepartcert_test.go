package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// certified gives the certificate of a request, checked with the public keys, and as it was handed out.
func (v *vault) certified(request string) (*rights.Certificate, string) {
	v.t.Helper()
	var answer struct{ Certificate string }
	v.get("/v1/requests/"+request+"/certificate", v.officer()).into(v.t, &answer)
	certificate, err := rights.VerifyCertificate(answer.Certificate, v.trusted())
	if err != nil {
		v.t.Fatal(err)
	}
	return certificate, answer.Certificate
}

// The erasure of a part ends with a certificate, once whoever had the values has confirmed it. It says which attributes there were, of those asked
// for, and what became of the key that they were sealed under; what the log does not say, it cannot say.
func TestErasureOfAPartIsCertified(t *testing.T) {
	v := setupWith(t, soon)
	mailer := v.receiveAs("crm-mailer", always(http.StatusOK), "marketing.*")
	id := v.store("part.proof@example.com", object{"email": "part.proof@example.com", "given_name": "Adalgisa", "gender": "female", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email", "given_name"}, id)
	lodge := func(only object) (r rightsRequest) {
		t.Helper()
		v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": only}}, http.StatusCreated).into(t, &r)
		return r
	}

	first := lodge(object{"attributes": []string{"given_name", "family_name"}})
	mailer.wait(func(calls []call) bool {
		return slices.ContainsFunc(calls, func(c call) bool { return c.message.Type == privacy.EventSubjectPartErased })
	})
	if a := v.call(http.MethodGet, v.url+"/v1/requests/"+first.ID+"/certificate", v.officer(), nil); a.code() != "not_erased_yet" {
		t.Errorf("a certificate before the receiver has confirmed: %d %s", a.status, a.body)
	}
	processor, err := privacy.ParseProcessorID(mailer.id)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.node.Rights.Acknowledge(t.Context(), custody.System(), []privacy.ProcessorID{processor}, []privacy.RightsRequestID{v.ref(first.ID, id).ID}, rights.AcknowledgedByCallback); err != nil {
		t.Fatal(err)
	}
	if r := v.closed(first.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("confirmed: %+v", r)
	}
	c, _ := v.certified(first.ID)
	if c.Subject.String() != id || c.Part == nil || len(c.Part.Asked) != 2 || !slices.Equal(c.Erased.Attributes, []privacy.AttributeName{"given_name"}) || c.DeletedAt.IsZero() {
		t.Errorf("certified: %+v of %+v", c, c.Part)
	}
	if c.Part.Key != rights.KeyLeft || !c.KeyErasedAt.IsZero() || c.Key != (rights.CertifiedKey{}) || !strings.Contains(strings.Join(c.Kept, "; "), "backups") {
		t.Errorf("of the key, which was left: %+v, %s, %v", c.Key, c.Part.Key, c.Kept)
	}
	if len(c.Processors) != 1 || c.Processors[0].By != "callback" || c.Processors[0].AcknowledgedAt.Before(c.Processors[0].ToldAt) {
		t.Errorf("told: %+v", c.Processors)
	}

	// What backups must not keep goes with its key; and of what is not there any more, that is said.
	second := lodge(object{"attributes": []string{"gender"}, "backups": true})
	v.closed(second.ID)
	c, _ = v.certified(second.ID)
	if c.Part.Key != rights.KeyReplaced || c.Key.Version == 0 || c.KeyErasedAt.Before(c.DeletedAt) || strings.Contains(strings.Join(c.Kept, "; "), "backups") || !slices.Equal(c.Erased.Attributes, []privacy.AttributeName{"gender"}) {
		t.Errorf("of the key, which was replaced: %+v, %+v, kept %v", c, c.Part, c.Kept)
	}
	third := lodge(object{"attributes": []string{"gender", "family_name"}})
	v.closed(third.ID)
	if c, _ := v.certified(third.ID); len(c.Erased.Attributes) != 0 || len(c.Part.Asked) != 2 {
		t.Errorf("of what was gone: %+v", c.Erased)
	}
	var list struct{ Requests []rightsRequest }
	v.get("/v1/requests?limit=10", v.officer()).into(t, &list)
	if n := len(list.Requests); n != 3 || slices.ContainsFunc(list.Requests, func(r rightsRequest) bool { return !r.Certificate }) {
		t.Errorf("listed: %+v", list.Requests)
	}
	if dump := string(v.dump()); strings.Contains(dump, "Adalgisa") {
		t.Error("the value is in the dump")
	}

	// However well it is signed, a certificate of more than the log tells of is none.
	for name, forge := range map[string]func(c *rights.Certificate){
		"another attribute":  func(c *rights.Certificate) { c.Erased.Attributes = append(c.Erased.Attributes, "phone") },
		"nothing":            func(c *rights.Certificate) { c.Erased.Attributes = nil },
		"the key":            func(c *rights.Certificate) { c.Part.Key = rights.KeyReplaced },
		"everything":         func(c *rights.Certificate) { c.Part = nil },
		"somebody else":      func(c *rights.Certificate) { c.Subject[15]++ },
		"as another request": func(c *rights.Certificate) { c.Request = v.ref(second.ID, id).ID },
	} {
		c, _ := v.certified(first.ID)
		forge(c)
		forged, err := v.node.Service.SignDocuments(t.Context(), rights.CertificateType, []any{c})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rights.VerifyCertificate(forged[0], v.trusted()); err == nil {
			t.Errorf("a certificate that claims %s is accepted", name)
		}
	}
}
