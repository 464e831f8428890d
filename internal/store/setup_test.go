package store_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// start is when everything in these tests begins.
var start = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// database is a migrated database with two ways in: the service's and the superuser's.
type database struct {
	*store.Store
	t     testing.TB
	url   string
	owner *pgx.Conn
}

func setup(t testing.TB) *database {
	t.Helper()
	url := testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) })
	db := &database{t: t, url: url, owner: connect(t, url)}
	db.Store = open(t, testenv.Login(t, url, "consentry_app"))
	return db
}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.WithoutCancel(t.Context())) })
	return connection
}

// exec runs a statement as the superuser, as somebody does who has taken the server over.
func (db *database) exec(sql string, args ...any) {
	db.t.Helper()
	tag, err := db.owner.Exec(db.t.Context(), sql, args...)
	if err != nil {
		db.t.Fatal(err)
	}
	if (tag.Update() || tag.Delete() || tag.Insert()) && tag.RowsAffected() == 0 {
		db.t.Fatalf("no row was touched by %s", sql)
	}
}

func (db *database) write(work func(tx *store.Tx) error) {
	db.t.Helper()
	if err := db.Write(db.t.Context(), work); err != nil {
		db.t.Fatal(err)
	}
}

// subject stores somebody.
func (db *database) subject() privacy.SubjectID {
	db.t.Helper()
	id, err := privacy.NewSubjectID(start, rand.Reader)
	if err != nil {
		db.t.Fatal(err)
	}
	db.write(func(tx *store.Tx) error {
		return tx.InsertSubjects(db.t.Context(), []store.NewSubject{{Subject: store.Subject{ID: id, Version: 1, State: []byte("state")}}}, start)
	})
	return id
}

// batch makes audit entries, as many as there are drafts, as of the given time.
func batch(t testing.TB, at time.Time, drafts []audit.Draft, decisions ...audit.Decision) audit.Batch {
	t.Helper()
	b, err := audit.NewBatch(at, rand.Reader, drafts, decisions)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// commit writes audit entries.
func (db *database) commit(at time.Time, drafts []audit.Draft, decisions ...audit.Decision) audit.Batch {
	db.t.Helper()
	b := batch(db.t, at, drafts, decisions...)
	if _, err := db.CommitAudit(db.t.Context(), b); err != nil {
		db.t.Fatal(err)
	}
	return b
}

func lookups(n int) []audit.Draft {
	drafts := make([]audit.Draft, n)
	for i := range drafts {
		drafts[i] = audit.Draft{Action: audit.ActionSubjectLookup, Client: "crm"}
	}
	return drafts
}

const origin = "test.example/audit"

// notary signs checkpoints.
type notary struct {
	t       testing.TB
	key     audit.Key
	private ed25519.PrivateKey
}

func newNotary(t testing.TB) notary {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return notary{t, audit.Key{Name: origin, Public: public}, private}
}

func (n notary) Confirm(tree *audit.Tree, note []byte) error {
	return tree.Confirm(note, origin, []audit.Key{n.key})
}

func (n notary) Sign(tree *audit.Tree) ([]byte, error) {
	return audit.SignCheckpoint(n.t.Context(), tree.Checkpoint(origin), n.key, func(_ context.Context, message []byte) ([]byte, error) {
		return ed25519.Sign(n.private, message), nil
	})
}

// sequence runs the sequencer until there is nothing left to do.
func (db *database) sequence(n store.Notary, batches int) {
	db.t.Helper()
	for {
		more, err := db.Sequence(db.t.Context(), batches, start, n)
		if err != nil {
			db.t.Fatal(err)
		}
		if !more {
			return
		}
	}
}
