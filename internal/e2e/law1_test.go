package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect opens a plain connection as the owner of the schema.
func (v *vault) connect() *pgx.Conn {
	v.t.Helper()
	conn, err := pgx.Connect(v.t.Context(), v.database)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = conn.Close(v.t.Context()) })
	return conn
}

// sql runs statements as the owner of the schema.
func sql(t testing.TB, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// permitted stores a person who may be disclosed and asks for them.
func (v *vault) permitted(email string) (id string, request object) {
	v.t.Helper()
	id = v.store(email, object{"email": email, "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	return id, object{"purpose": "marketing.email", "attributes": []string{"email", "given_name"}, "subjects": []object{{"id": id}}}
}

// Audit before release: while the record of a decision cannot be committed, its answer waits.
func TestLaw1AnswerWaitsForTheCommit(t *testing.T) {
	v := setup(t)
	_, request := v.permitted("law1@example.com")
	conn := v.connect()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE audit_entry IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	consumer := v.consumer()
	answered := make(chan answer, 1)
	go func() { answered <- v.call(http.MethodPost, v.url+"/v1/disclosures", consumer, request) }()
	waitUntil(t, func() bool {
		var waiting int
		err := tx.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'audit_entry'::regclass`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting > 0
	})
	select {
	case a := <-answered:
		t.Fatalf("answered %d before the record was committed", a.status)
	default:
	}
	var recorded int
	if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'disclosure'`).Scan(&recorded); err != nil || recorded != 0 {
		t.Fatalf("%d disclosures on record, %v", recorded, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := <-answered
	if a.status != http.StatusOK || !strings.Contains(string(a.body), "law1@example.com") {
		t.Fatalf("after the commit: %d %s", a.status, a.body)
	}
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'disclosure'`).Scan(&recorded); err != nil || recorded != 1 {
		t.Fatalf("%d disclosures on record, %v", recorded, err)
	}
}

// Audit before release: when the record cannot be written at all, nothing is released.
func TestLaw1NothingWithoutRecord(t *testing.T) {
	for name, obstacle := range map[string]string{
		"entries": `ALTER TABLE audit_entry ADD CONSTRAINT obstacle CHECK (action <> 'disclosure') NOT VALID`,
		"queue":   `ALTER TABLE audit_batch ADD CONSTRAINT obstacle CHECK (hashes IS NULL) NOT VALID`,
		// Checked at the commit and not before.
		"commit": `CREATE FUNCTION obstacle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
			CREATE CONSTRAINT TRIGGER obstacle AFTER INSERT ON audit_batch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION obstacle()`,
	} {
		t.Run(name, func(t *testing.T) {
			v := setup(t)
			_, request := v.permitted("law1@example.com")
			sql(t, v.connect(), obstacle)
			a := v.call(http.MethodPost, v.url+"/v1/disclosures", v.consumer(), request)
			if a.status < 500 || strings.Contains(string(a.body), "law1@example.com") || strings.Contains(string(a.body), "Ada") {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
}

// waitUntil polls for something that another goroutine or server is about to do.
func waitUntil(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen in 30 seconds")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
