package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/rights"
)

// rightsRequest is a request as the API shows it.
type rightsRequest struct {
	ID, Subject, State, Regime, Scope string
	DueAt                             time.Time `json:"due_at"`
	LegalDueOn                        string    `json:"legal_due_on"`
	IdentifiedBy                      string    `json:"identified_by"`
	JoinedTo                          string    `json:"joined_to"`
	Ground, Step                      string
	Certificate                       bool
	Joined                            bool
	SecondLook                        bool       `json:"second_look"`
	RemindedAt                        *time.Time `json:"reminded_at"`
	Processors                        []requestProcessor
}

// requestProcessor is how far a processor has come with a request.
type requestProcessor struct {
	ID, Name, Delivery, Problem string
	Attempts                    int
	ToldAt                      time.Time  `json:"told_at"`
	AcknowledgedAt              *time.Time `json:"acknowledged_at"`
	AcknowledgedBy              string     `json:"acknowledged_by"`
	EscalatedAt                 *time.Time `json:"escalated_at"`
}

func (v *vault) agent() string { return v.token("service-desk", privacy.RoleAgent) }

func (v *vault) self(id string) string {
	v.t.Helper()
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.issuer.SubjectToken(v.t, "portal", subject)
}

// closed waits until a request is closed, and gives it.
func (v *vault) closed(id string) (r rightsRequest) {
	v.t.Helper()
	waitUntil(v.t, func() bool {
		v.get("/v1/requests/"+id, v.officer()).into(v.t, &r)
		return privacy.RequestState(r.State).Closed()
	})
	return r
}

// trusted gives the keys that certificates are checked with.
func (v *vault) trusted() receipt.Keys {
	v.t.Helper()
	keys, err := receipt.ParseKeys(v.get("/.well-known/jwks.json", "").body)
	if err != nil {
		v.t.Fatal(err)
	}
	return keys
}

// A person asks to be erased with their own token: reads stop with the answer, a job does the rest, and the certificate is checked
// by who has nothing but the public keys.
func TestErasureFromRequestToCertificate(t *testing.T) {
	v := setup(t)
	id := v.store("erase.me@example.com", object{"email": "erase.me@example.com", "given_name": "Erase", "country": "DE", "birth_date": "1990-12-10"})
	other := v.store("keep.me@example.com", object{"email": "keep.me@example.com", "country": "DE", "birth_date": "1990-12-10"})
	for _, person := range []string{id, other} {
		v.consent(person, "marketing.email", "grant")
	}
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
	if lodged.State != "in_progress" || lodged.DueAt.Before(time.Now().AddDate(0, 0, 27)) {
		t.Errorf("the answer: %+v", lodged)
	}
	for i, d := range v.disclose("marketing.email", []string{"email"}, id, other).Disclosures {
		if erased := d.Withheld["email"] == "erased"; erased != (i == 0) {
			t.Errorf("subject %d: %+v", i, d)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/lookup", v.steward(), object{"identifier": object{"type": "email", "value": "erase.me@example.com"}}); a.status != http.StatusNotFound {
		t.Errorf("the identifier still finds somebody: %d", a.status)
	}

	if r := v.closed(lodged.ID); r.State != "completed" || !r.Certificate || r.Regime != "gdpr" {
		t.Errorf("the request: %+v", r)
	}
	var answer struct{ Certificate string }
	v.get("/v1/requests/"+lodged.ID+"/certificate", v.self(id)).into(t, &answer)
	certificate, err := rights.VerifyCertificate(answer.Certificate, v.trusted())
	if err != nil {
		t.Fatal(err)
	}
	if certificate.Request.String() != lodged.ID || certificate.Subject.String() != id || len(certificate.Erased.Attributes) != 4 || len(certificate.Erased.Identifiers) != 1 {
		t.Errorf("the certificate: %+v", certificate)
	}
	parts := strings.Split(answer.Certificate, ".")
	parts[1] = parts[1][:len(parts[1])-4] + "AAAA"
	if _, err := rights.VerifyCertificate(strings.Join(parts, "."), v.trusted()); err == nil {
		t.Error("a certificate that was changed is accepted")
	}

	// Who comes in again is flagged.
	again := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "Erase.Me@example.com "}}, "source": "crm"})
	if again.status != http.StatusConflict || again.code() != "erased_before" {
		t.Errorf("a second coming: %d %s", again.status, again.body)
	}
	// Nothing in the database ties the mark of an identifier to whose it was.
	var tied int
	if err := v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM erasure WHERE hashes <> '') + (SELECT count(*) FROM suppression WHERE request_id IS NOT NULL OR at <> date_trunc('day', at))`).Scan(&tied); err != nil || tied != 0 {
		t.Errorf("%d marks are tied: %v", tied, err)
	}
	// Who comes back of their own will is let in, as somebody new.
	back := object{"identifiers": []object{{"type": "email", "value": "erase.me@example.com"}}}
	if a := v.call(http.MethodPost, v.url+"/v1/subjects/readmissions", v.steward(), back); a.status != http.StatusForbidden {
		t.Errorf("a steward lets somebody back: %d", a.status)
	}
	for want := 1; want >= 0; want-- {
		var answer struct{ Readmitted int }
		if v.post("/v1/subjects/readmissions", v.agent(), back, http.StatusOK).into(t, &answer); answer.Readmitted != want {
			t.Errorf("%d marks were taken back, want %d", answer.Readmitted, want)
		}
	}
	if fresh := v.store("erase.me@example.com", object{"email": "erase.me@example.com"}); fresh == id {
		t.Error("who comes back is who was erased")
	}
	var readmissions int
	if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'subject.readmit'`).Scan(&readmissions); err != nil || readmissions != 2 {
		t.Errorf("%d readmissions are on record: %v", readmissions, err)
	}
	// Who asks again is told of the request there was.
	var joined rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusOK).into(t, &joined)
	if joined.ID != lodged.ID || joined.State != "completed" {
		t.Errorf("asked again: %+v", joined)
	}
}
