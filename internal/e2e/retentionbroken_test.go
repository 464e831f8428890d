package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// old stores people whose names have been kept for long enough, and gives their ids.
func (v *vault) old(emails ...string) (ids []string) {
	v.t.Helper()
	for _, email := range emails {
		var stored struct{ ID string }
		v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": email}}, "source": "test", "collected_at": time.Now().AddDate(-4, 0, 0).UTC().Format(time.RFC3339),
			"attributes": object{"given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"}}, http.StatusCreated).into(v.t, &stored)
		ids = append(ids, stored.ID)
	}
	return ids
}

// runsOf counts runs of the retention job.
func runsOf(t *testing.T, db *pgx.Conn, where string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM retention_run WHERE `+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A run whose process died goes on where it was: when somebody asks for a run, and by itself.
func TestRetentionGoesOnAfterAProcessDied(t *testing.T) {
	v := setup(t)
	ids := v.old("before@example.com", "after@example.com")
	db := v.connect()
	for name, resume := range map[string]func() error{
		"asked for":  func() error { v.post("/v1/retention/runs", v.officer(), object{}, http.StatusAccepted); return nil },
		"looked for": func() error { return v.node.Service.RetainDaily(t.Context()) },
	} {
		// What it leaves: a run that is under way, past the first of them, and a job that River takes to be at work.
		sql(t, db, `INSERT INTO retention_run (run_id, dry_run, revision_id, client, started_at, cursor) SELECT gen_random_uuid(), true, revision_id, 'dead', now(), $1 FROM publication ORDER BY number DESC LIMIT 1`, ids[0])
		if err := resume(); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return runsOf(t, db, `client = 'dead' AND finished_at IS NULL`) == 0 })
		if n := runsOf(t, db, `client = 'dead' AND subjects = 1`); n != 1 {
			t.Errorf("%s: %d runs found the one that was left", name, n)
		}
		sql(t, db, `UPDATE retention_run SET client = 'buried'`)
	}
	if n := runsOf(t, db, `true`); n != 2 {
		t.Errorf("%d runs", n)
	}
}

// A run begins a day after the last that deleted, whoever looks.
func TestRetentionComesRoundDaily(t *testing.T) {
	c := &clock{}
	v := setupWith(t, c.set)
	db := v.connect()
	look := func(want int) {
		t.Helper()
		if err := v.node.Service.RetainDaily(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return runsOf(t, db, `finished_at IS NULL`) == 0 })
		if n := runsOf(t, db, `NOT dry_run`); n != want {
			t.Errorf("%d runs, want %d", n, want)
		}
	}
	look(1)
	c.pass(23 * time.Hour)
	look(1)
	v.retain(true) // deletes nothing, so the day's is still due
	c.pass(time.Hour)
	look(2)
}

// What is damaged of some keeps nobody else's values: they are counted, and the run goes on.
func TestRetentionBesideDamage(t *testing.T) {
	v := setup(t)
	ids := v.old("state@example.com", "page@example.com", "sound@example.com", "unknown@example.com")
	db := v.connect()
	sql(t, db, `UPDATE subject SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE subject_id = $1`, ids[0])
	sql(t, db, `UPDATE subject SET key_slot = key_slot + 4096 WHERE subject_id = $1`, ids[1])
	sql(t, db, `UPDATE attribute_value SET attribute_id = 999 WHERE subject_id = $1 AND attribute_id = 1`, ids[3])
	sql(t, db, `DELETE FROM attribute_value WHERE subject_id = $1 AND attribute_id <> 999`, ids[3])
	run := v.retain(false)
	if name := run.Attributes["given_name"]; name["failed"] != 2 || name["expired"] != 1 || run.Attributes["#999"]["expired"] != 1 || run.Subjects != 4 {
		t.Errorf("the run: %+v", run)
	}
	var kept, empty int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM attribute_value WHERE attribute_id IN (1, 999) AND sealed IS NOT NULL`).Scan(&kept); err != nil || kept != 2 {
		t.Errorf("%d names are kept: %v", kept, err)
	}
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = 'retention.delete' AND cardinality(attributes) > 0 IS NOT TRUE`).Scan(&empty); err != nil || empty != 0 {
		t.Errorf("%d entries tell of nothing: %v", empty, err)
	}
	if again := v.retain(false); again.Attributes["given_name"]["failed"] != 2 || again.Subjects != 2 {
		t.Errorf("a second run: %+v", again)
	}
}
