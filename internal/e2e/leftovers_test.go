package e2e_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// stuck is a mail server that takes nothing, so that what is queued stays queued.
type stuck struct{}

func (stuck) Send(context.Context, privacy.Cleartext, mail.Message) error {
	return privacy.Unavailable(nil, "mail_unavailable", "the mail server does not answer")
}

// guises are the forms in which a value could lie about: as it is, encoded, or hashed without a key, which anybody can do again.
func guises(value string) map[string]string {
	lower := strings.ToLower(value)
	plain, sum := sha256.Sum256([]byte(lower)), md5.Sum([]byte(lower))
	return map[string]string{"as it is": lower, "in hexadecimal": hex.EncodeToString([]byte(value)), "in hexadecimal, in small letters": hex.EncodeToString([]byte(lower)),
		"in base64": strings.ToLower(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value)), "=")), "as its SHA-256": hex.EncodeToString(plain[:]), "as its MD5": hex.EncodeToString(sum[:])}
}

// After an erasure, nothing that the vault keeps, has written or has sent says who it was: no table, queue, log, trace, metric, webhook, export or
// temporary file.
func TestErasureLeavesNothingOfThePerson(t *testing.T) {
	temporary, traces := t.TempDir(), &logBuffer{}
	t.Setenv("TMPDIR", temporary)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(traces, r.Body) }))
	t.Cleanup(sink.Close)
	v := setupWith(t, soon, behindAProxy, func(c *node.Config) {
		c.TraceURL, c.Confirming.Email, c.Confirming.PublicURL = sink.URL+"/v1/traces", stuck{}, "https://vault.example"
	})
	mailHouse := v.downstream(always(http.StatusOK), nil)
	v.downstream(always(http.StatusServiceUnavailable), object{"name": "One that is down"})
	email := "Vanish.Please@example.com"
	values := []string{email, "Zebulon", "Quackenbush", "Vanishing Lane 7", "the form said so", "please forget all of it", "+4915123456789", "VAN-77-4711", "1961-07-23"}
	var stored struct{ ID string }
	v.post("/v1/subjects", v.steward(), object{"source": "shop", "identifiers": []object{{"type": "email", "value": email, "verified": true}, {"type": "phone", "value": values[6]}, {"type": "customer_number", "value": values[7]}},
		"attributes": object{"email": email, "given_name": values[1], "family_name": values[2], "full_name": values[3], "country": "DE", "birth_date": values[8]}}, http.StatusCreated).into(t, &stored)
	id := stored.ID
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "evidence": values[4]}, http.StatusCreated)
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.sms", "action": "grant", "confirm": "email"}, http.StatusCreated)
	v.post("/v1/subjects/"+id+"/signals", v.agent(), object{"gpc": true}, http.StatusCreated)
	v.disclose("marketing.email", []string{"email", "given_name"}, id)
	if a := v.anybody("203.0.113.5", "/v1/requests/form", form("access", email)); a.status != http.StatusAccepted {
		t.Fatalf("the form: %d %s", a.status, a.body)
	}
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "access", "details": object{"text": values[5]}}, http.StatusCreated).into(t, &lodged)
	v.closed(lodged.ID) // with an export
	v.post("/v1/requests/"+lodged.ID+"/export/link", v.self(id), object{}, http.StatusCreated)
	db := v.connect()
	for _, table := range append(store.PersonalTables(), "rights_code", "confirmation", "export") {
		waitUntil(t, func() bool { // else it would be no wonder that it is empty afterwards
			var n int
			err := db.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE subject_id = $1`, id).Scan(&n)
			return err == nil && n > 0
		})
	}

	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
	mailHouse.told(privacy.EventSubjectErased)
	waitUntil(t, func() bool { return v.requestOf(lodged.ID).State == "awaiting_processors" })
	if again := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": email}}, "source": "crm"}); again.code() != "erased_before" {
		t.Errorf("a second coming: %d %s", again.status, again.body)
	}

	v.get("/v1/audit/checkpoint", v.auditor())
	waitUntil(t, func() bool { return strings.Contains(traces.String(), "GET /v1/audit/checkpoint") }) // with all that was before it

	written := map[string]string{"dump": string(v.dump()), "logs": v.logs.String(), "metrics": string(v.get("/metrics", "").body), "traces": traces.String(), "webhooks": mailHouse.heard(), "temporary files": content(t, temporary),
		"entries": string(v.get("/v1/audit/entries?limit=1000", v.auditor()).body), "request": string(v.get("/v1/requests/"+lodged.ID, v.officer()).body), "feed": string(v.get("/v1/events?limit=1000", v.officer()).body)}
	for where, text := range written {
		if text = strings.ToLower(text); text == "" && where != "temporary files" {
			t.Errorf("there are no %s to be searched", where)
		}
		for _, value := range values {
			for how, guise := range guises(value) {
				if strings.Contains(text, guise) {
					t.Errorf("the %s still have %q %s", where, value, how)
				}
			}
		}
	}
	// What is sealed is gone as well: not even the key's owner finds a row to open.
	for _, table := range append(store.PersonalTables(), "identifier", "rights_code", "confirmation", "export") {
		var n int
		count := `SELECT count(*) FROM ` + table
		if table == "subject_signal" { // its effects stay, and what proves them goes
			count += ` WHERE sealed <> ''`
		}
		if err := db.QueryRow(t.Context(), count).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s has %d rows: %v", table, n, err)
		}
	}
	var sealed int
	if err := db.QueryRow(t.Context(), `SELECT sum(octet_length(state)) + sum(coalesce(octet_length(facets), 0)) FROM subject`).Scan(&sealed); err != nil || sealed != 0 {
		t.Errorf("%d sealed bytes are left: %v", sealed, err)
	}
}

// heard gives everything that a processor was sent, headers and all.
func (r *receiver) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all bytes.Buffer
	for _, c := range r.accepted {
		_ = c.header.Write(&all)
		all.Write(c.body)
	}
	return all.String()
}

// content gives what is in all the files of a folder.
func content(t testing.TB, folder string) string {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all.WriteString(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
