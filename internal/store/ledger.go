package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/consentry/consentry/internal/privacy"
)

// LedgerQuestion says what a write to somebody's ledger has to know before.
type LedgerQuestion struct {
	Subject privacy.SubjectID
	Purpose privacy.PurposeName
	All     bool            // where they stand on every purpose, not on this one alone
	Record  [16]byte        // whether this record is on the ledger already; zero: not asked
	Key     *IdempotencyKey // nil: none

	AskedSince time.Time // count what they were asked to confirm since then; zero: not asked
}

// LedgerHead is where a ledger ends and where it leaves the subject. The subject is locked: nobody else can
// write to the ledger meanwhile.
type LedgerHead struct {
	Subject  Subject // zero when there is none
	Revision privacy.RevisionID
	States   []ConsentState
	Seq      int32  // of the last record, 0 when there is none
	Hash     []byte // of the last record; nil when there is none, or it is from before there was a chain
	Known    bool   // the record asked about is there
	Asked    int    // to confirm
	Answer   []byte // kept for the idempotency key; nil: none
	Reused   error  // the idempotency key was used for a different request
	Busy     bool   // somebody else holds the subject or the key, or there is no such subject: nothing else is known
}

// WriteLedger reads the end of a ledger, has the work decide what to write, and writes it: two round trips in
// all, because recording consent is what people wait for. The transaction begins with the first and ends with
// the second. Like [Store.Write] it may run the work again; a work that fails leaves nothing behind, and one
// that asks for nothing to be written ends well.
func (s *Store) WriteLedger(ctx context.Context, question LedgerQuestion, work func(head *LedgerHead, w *Writes) error) error {
	return again(func() error {
		return s.writeLedgers(ctx, []LedgerQuestion{question}, waitForLocks, func(heads []LedgerHead, w *Writes) error { return work(&heads[0], w) })
	})
}

// WriteLedgers is WriteLedger for several subjects, each other than the others, in one transaction. It waits for nobody: what
// somebody else holds is told as busy, and is to be written by itself. So it takes part in no deadlock.
func (s *Store) WriteLedgers(ctx context.Context, questions []LedgerQuestion, work func(heads []LedgerHead, w *Writes) error) error {
	return s.writeLedgers(ctx, questions, skipLocked, work)
}

func (s *Store) writeLedgers(ctx context.Context, questions []LedgerQuestion, locks *ledgerLocks, work func(heads []LedgerHead, w *Writes) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return wrap(err, "connect")
	}
	defer conn.Release() // a connection that is still in a transaction is closed by the pool
	heads, err := s.lockLedgers(ctx, conn, questions, locks)
	if err == nil {
		w := &Writes{}
		if err = work(heads, w); err == nil && !w.empty() {
			statements := w.statements()
			statements.Queue("commit")
			// Once sent it must be known whether it was done: a caller who leaves does not stop it.
			err = end(ctx, func(ctx context.Context) error { return conn.SendBatch(ctx, statements).Close() })
			if err == nil && len(w.changes) > 0 {
				s.signalChange()
			}
			if err == nil {
				return nil
			}
		}
	}
	_ = end(ctx, func(ctx context.Context) error { _, err := conn.Exec(ctx, "rollback"); return err })
	return wrap(err, "write to a ledger")
}

func (s *Store) lockLedgers(ctx context.Context, conn *pgxpool.Conn, questions []LedgerQuestion, locks *ledgerLocks) ([]LedgerHead, error) {
	heads := make([]LedgerHead, len(questions))
	var number int64
	reads := &pgx.Batch{}
	reads.Queue("begin")
	s.queueTwoPhase(reads)
	// The locks come before what they protect: each statement sees what was committed before it began.
	locks.queueKeys(reads, questions, heads)
	if together := len(questions) > 1 && !s.distributed; together {
		locks.queueSubjects(reads, questions, heads)
		queueHeads(reads, questions, heads, &number)
	} else {
		for i := range questions {
			locks.queueSubject(reads, &questions[i], &heads[i])
		}
		for i := range questions {
			queueHead(reads, &questions[i], &heads[i], &number)
		}
	}
	for i := range questions {
		if since := questions[i].AskedSince; !since.IsZero() {
			reads.Queue(countConfirmations, [16]byte(questions[i].Subject), since).QueryRow(func(row pgx.Row) error { return row.Scan(&heads[i].Asked) })
		}
	}
	if err := conn.SendBatch(ctx, reads).Close(); err != nil {
		return nil, err
	}
	revision, err := s.publicationOn(ctx, conn, number)
	for i := range heads {
		heads[i].Revision = revision
	}
	return heads, err
}

// LedgerHead reads where the ledger of a locked subject ends, and where they stand on every purpose.
func (t *Tx) LedgerHead(ctx context.Context, subject Subject) (*LedgerHead, error) {
	head := &LedgerHead{Subject: subject}
	reads, number := &pgx.Batch{}, int64(0)
	queueHead(reads, &LedgerQuestion{Subject: subject.ID, All: true}, head, &number)
	return head, wrap(t.tx.SendBatch(ctx, reads).Close(), "read the end of a ledger")
}

// publicationOn is publication on a connection that is held already: asking the pool for a second one could
// wait for those who wait for ours.
func (s *Store) publicationOn(ctx context.Context, conn *pgxpool.Conn, number int64) (privacy.RevisionID, error) {
	if id, ok := s.publications.Load(number); ok {
		return id.(privacy.RevisionID), nil //nolint:forcetypeassert // only stored here and in publication
	}
	id, err := scanRevision(conn.QueryRow(ctx, `SELECT revision_id FROM publication WHERE number = $1`, number))
	if err == nil {
		s.publications.Store(number, id)
	}
	return id, err
}
