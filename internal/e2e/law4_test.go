package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// Erasure survives a restore: after a puncture, a database restored from a dump taken before it opens
// everybody's values but the punctured subject's.
func TestLaw4PunctureOutlivesARestore(t *testing.T) {
	v := setup(t)
	const people = 40
	ids := make([]string, people)
	for i := range ids {
		email := fmt.Sprintf("law4-%d@example.com", i)
		ids[i] = v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10"})
		v.consent(ids[i], "marketing.email", "grant")
	}
	const erased = 17
	dump := v.dump()
	var slot privacy.KeySlot
	if err := v.connect().QueryRow(t.Context(), `SELECT key_slot FROM subject WHERE subject_id = $1`, ids[erased]).Scan(&slot); err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	if err := keys.Puncture(t.Context(), slot); err != nil {
		t.Fatal(err)
	}

	restored := &vault{t: t, database: restore(t, dump), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	restored.node, restored.url = restored.start()
	var rows int
	if err := restored.connect().QueryRow(t.Context(), `SELECT count(*) FROM attribute_value WHERE subject_id = $1`, ids[erased]).Scan(&rows); err != nil || rows != 3 {
		t.Fatalf("the dump has %d values of the erased subject, want 3: %v", rows, err)
	}
	for i, d := range restored.disclose("marketing.email", []string{"email"}, ids...).Disclosures {
		email := fmt.Sprintf("law4-%d@example.com", i)
		switch {
		case i == erased && (len(d.Attributes) != 0 || d.Withheld["email"] != "erased"):
			t.Errorf("the erased subject: %+v", d)
		case i != erased && d.Attributes["email"] != email:
			t.Errorf("subject %d: %+v", i, d)
		}
	}
}

// Erasure survives a restore: of 1,000 people, 100 are erased after a full dump. A new server with that dump refuses to start until the
// check has run; then the 100 open nowhere, and the 900 as before.
func TestLaw4ErasureSurvivesARestore(t *testing.T) {
	v := setup(t)
	const people, erased = 1000, 100
	var lines strings.Builder
	for i := range people {
		fmt.Fprintf(&lines, `{"identifiers":[{"type":"email","value":"law4-%d@example.com"}],"source":"test","attributes":{"email":"law4-%d@example.com","country":"DE","birth_date":"1990-12-10"}}`+"\n", i, i)
	}
	imported := v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), lines.String())
	if imported.status != http.StatusOK {
		t.Fatalf("import: %d %.300s", imported.status, imported.body)
	}
	ids := make([]string, people)
	for _, line := range strings.Split(strings.TrimSpace(string(imported.body)), "\n")[:people] {
		var stored struct {
			Line int
			ID   string
		}
		if err := json.Unmarshal([]byte(line), &stored); err != nil || stored.ID == "" {
			t.Fatalf("import: %s", line)
		}
		ids[stored.Line-1] = stored.ID
	}
	for _, id := range ids {
		v.consent(id, "marketing.email", "grant")
	}
	dump := v.dump()
	gone := make(map[int]bool, erased)
	var last [erased]string
	for n := range erased {
		i := (n*37 + 5) % people
		gone[i] = true
		var lodged rightsRequest
		v.post("/v1/me/requests", v.self(ids[i]), object{"type": "erasure"}, http.StatusCreated).into(t, &lodged)
		last[n] = lodged.ID
	}
	for _, id := range last {
		v.closed(id)
	}

	server := testenv.OwnPostgres(t, testenv.Volatile)
	for _, role := range []string{"consentry_app", "consentry_reader"} {
		runPostgres(t, nil, "psql", "--quiet", "--dbname", server.URL("postgres"), "--command", "CREATE ROLE "+role+" NOLOGIN")
	}
	runPostgres(t, dump, "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", server.URL("postgres"))
	restored := &vault{t: t, database: server.URL("postgres"), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	refused, err := restored.open()
	if privacy.CodeOf(err) != "restore_check_needed" {
		if err == nil {
			_ = refused.Close(t.Context())
		}
		t.Fatalf("a restored service that was not checked: %v", err)
	}
	report := restored.checkRestored()
	if report.Repeated != erased || report.Suppressed != erased || report.Subjects != people || report.KeysGone != 0 || report.Punctured != 0 {
		t.Errorf("the check: %+v", report)
	}
	restored.node, restored.url = restored.start()
	for i, d := range restored.disclose("marketing.email", []string{"email"}, ids...).Disclosures {
		switch email := fmt.Sprintf("law4-%d@example.com", i); {
		case gone[i] && (len(d.Attributes) != 0 || d.Withheld["email"] != "erased"):
			t.Errorf("erased subject %d: %+v", i, d)
		case !gone[i] && d.Attributes["email"] != email:
			t.Errorf("subject %d: %+v", i, d)
		}
	}
	db := restored.connect()
	for _, table := range []string{"attribute_value", "subject_identifier", "consent_evidence"} {
		var rows int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM `+table+` WHERE subject_id IN (SELECT subject_id FROM subject WHERE erased_at IS NOT NULL)`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%s has %d rows of erased subjects: %v", table, rows, err)
		}
	}
	for i := range people {
		if gone[i] {
			again := restored.call(http.MethodPost, restored.url+"/v1/subjects", restored.steward(), object{"identifiers": []object{{"type": "email", "value": fmt.Sprintf("law4-%d@example.com", i)}}, "source": "crm"})
			if again.code() != "erased_before" {
				t.Errorf("erased subject %d comes in again: %d %s", i, again.status, again.body)
			}
			break
		}
	}
	if r := restored.closed(last[0]); r.State != "completed" || !r.Certificate {
		t.Errorf("the request in the restored database: %+v", r)
	}

	// To check again finds nothing to do.
	if again := restored.checkRestored(); again.Repeated != 0 || again.BuriedAgain != 0 || again.Punctured != 0 {
		t.Errorf("a second check: %+v", again)
	}
}

// checkRestored does what consentry restore check does.
func (v *vault) checkRestored() custody.Restored {
	v.t.Helper()
	keys, err := keyring.OpenVault(v.t.Context(), v.keys, keyring.Options{})
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	db, err := store.Open(v.t.Context(), store.Config{URL: v.database})
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	words, err := catalogue.Load()
	if err != nil {
		v.t.Fatal(err)
	}
	service := custody.New(custody.Config{Store: db, Keyring: keys, Policy: policy.NewEngine(), Catalogue: words, Log: slog.New(slog.DiscardHandler)})
	defer service.Close()
	report, err := service.CheckRestored(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	return report
}

// dump takes a full dump of the vault's database.
func (v *vault) dump() []byte {
	v.t.Helper()
	return runPostgres(v.t, nil, "pg_dump", "--dbname", v.database)
}

// restore makes a new database from a dump.
func restore(t testing.TB, dump []byte) (database string) {
	t.Helper()
	database = testenv.Postgres(t)
	runPostgres(t, dump, "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", database)
	return database
}

func runPostgres(t testing.TB, input []byte, program string, args ...string) []byte {
	t.Helper()
	bin, err := localserver.FindPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(bin, program), args...)
	var stderr bytes.Buffer
	command.Stdin, command.Stderr = bytes.NewReader(input), &stderr
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, stderr.String())
	}
	return output
}
