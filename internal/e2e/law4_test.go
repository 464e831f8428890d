package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/privacy"
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
