package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A process is killed while a transaction of the retention job has deleted values of some and not yet of others. Of each person either
// everything that was due is gone or nothing, and the report says of how many; what is gone stays gone, and whoever looks next ends the same
// run, in which everybody is deleted, counted and entered once.
func TestRetentionSurvivesAKill(t *testing.T) {
	const people, givenName, gender = 230, 1, 4
	for _, victim := range []int{20, 170, people - 1} { // in the first transaction, in one between, in the last
		t.Run(fmt.Sprint(victim), func(t *testing.T) {
			v := setup(t)
			var lines []byte
			for i := range people {
				lines = fmt.Appendf(lines, `{"identifiers":[{"type":"email","value":"doomed-%[1]d@example.com"}],"source":"test","collected_at":%[2]q,"attributes":{"email":"doomed-%[1]d@example.com","given_name":"Ada","gender":"female","country":"DE","birth_date":"1990-12-10"}}`+"\n",
					i, time.Now().AddDate(-4, 0, 0).UTC().Format(time.RFC3339))
			}
			if a := v.call(http.MethodPost, v.url+"/v1/subjects/import", v.steward(), string(lines)); a.status != http.StatusOK {
				t.Fatalf("import: %d %.300s", a.status, a.body)
			}
			due := map[string]map[string]int{}
			for name, whys := range v.retain(true).Attributes {
				due[name] = whys
			}
			if err := v.node.Close(t.Context()); err != nil { // so that it is the other process that deletes
				t.Fatal(err)
			}
			v.killWhileRetaining(victim, givenName)

			db := v.connect()
			type state struct{ gone, half, beyond, entries, counted, open int }
			look := func() (s state) {
				t.Helper()
				err := db.QueryRow(t.Context(), `WITH r AS (SELECT * FROM retention_run WHERE NOT dry_run),
						p AS (SELECT subject_id, count(*) FILTER (WHERE sealed IS NULL) AS gone, max(version) AS version FROM attribute_value WHERE attribute_id IN ($1, $2) GROUP BY subject_id)
					SELECT (SELECT count(*) FROM p WHERE gone = 2 AND version = 2), (SELECT count(*) FROM p WHERE gone = 1 OR version > 2), (SELECT count(*) FROM p, r WHERE gone > 0 AND p.subject_id > r.cursor),
						(SELECT count(*) FROM audit_entry e, r WHERE e.action = 'retention.delete' AND e.object = 'retention/' || r.run_id),
						(SELECT coalesce((counts->'given_name'->>'expired')::integer, 0) FROM r), (SELECT count(*) FROM r WHERE finished_at IS NULL)`, givenName, gender).
					Scan(&s.gone, &s.half, &s.beyond, &s.entries, &s.counted, &s.open)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			before := victim / 50 * 50 // are deleted at a time
			if s := look(); s != (state{before, 0, 0, before, before, 1}) {
				t.Errorf("killed: %+v, want %d people deleted", s, before)
			}

			next := &vault{t: t, database: v.database, keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
			next.node, next.url = next.start()
			if err := next.node.Service.RetainDaily(t.Context()); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, func() bool { return runsOf(t, db, `finished_at IS NULL`) == 0 })
			if s := look(); s != (state{people, 0, 0, people, people, 0}) {
				t.Errorf("gone on: %+v", s)
			}
			var answer struct{ Runs []retentionRun }
			next.get("/v1/retention/runs?limit=10", next.officer()).into(t, &answer)
			if len(answer.Runs) != 2 || answer.Runs[0].Subjects != people || fmt.Sprint(answer.Runs[0].Attributes) != fmt.Sprint(due) {
				t.Errorf("the report: %+v, what was due: %v", answer.Runs, due)
			}
			if again := next.retain(false); again.Subjects != 0 {
				t.Errorf("a second run: %+v", again)
			}
		})
	}
}

// killWhileRetaining has another process delete what has been kept for long enough, and kills it when it is about to delete an attribute of a
// subject, of whom the place in the job's order is given.
func (v *vault) killWhileRetaining(place, attribute int) {
	v.t.Helper()
	order, err := json.Marshal(doomedProcess{Retain: true, Database: v.database, Vault: v.keys.Address, Token: string(v.keys.Auth.Token), KV: v.keys.KVMount, Transit: v.keys.TransitMount, Authn: v.issuer.Config})
	if err != nil {
		v.t.Fatal(err)
	}
	tx, err := v.connect().Begin(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	defer tx.Rollback(v.t.Context()) //nolint:errcheck // it has only locked
	tag, err := tx.Exec(v.t.Context(), `SELECT FROM attribute_value WHERE attribute_id = $2 AND subject_id = (SELECT subject_id FROM subject ORDER BY subject_id OFFSET $1 LIMIT 1) FOR UPDATE`, place, attribute)
	if err != nil || tag.RowsAffected() != 1 {
		v.t.Fatalf("%d rows are locked: %v", tag.RowsAffected(), err)
	}
	command := exec.CommandContext(v.t.Context(), os.Args[0], "-test.run=^TestDoomedProcess$")
	command.Env = append(os.Environ(), doomedEnv+"="+string(order))
	if err := command.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.waits(v.connect())
	if err := command.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	if err := command.Wait(); err == nil {
		v.t.Fatal("the process was not killed")
	}
}

// waits waits until somebody waits for a row that is locked.
func (v *vault) waits(db *pgx.Conn) {
	v.t.Helper()
	waitUntil(v.t, func() bool {
		var waiting bool
		err := db.QueryRow(v.t.Context(), `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.locktype = 'transactionid' AND a.datname = current_database())`).Scan(&waiting)
		return err == nil && waiting
	})
}
