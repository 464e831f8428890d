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

// ledgerLocks are the statements that lock a key, which answers whether it could, and a subject.
type ledgerLocks struct{ key, subject string }

var (
	waitForLocks = &ledgerLocks{key: `SELECT true FROM pg_advisory_xact_lock(` + keyHash + `)`, subject: lockSubject}
	skipLocked   = &ledgerLocks{key: `SELECT pg_try_advisory_xact_lock(` + keyHash + `)`, subject: lockSubject + ` SKIP LOCKED`}
)

func (s *Store) lockLedgers(ctx context.Context, conn *pgxpool.Conn, questions []LedgerQuestion, locks *ledgerLocks) ([]LedgerHead, error) {
	heads := make([]LedgerHead, len(questions))
	var number int64
	reads := &pgx.Batch{}
	reads.Queue("begin")
	reads.Queue(twoPhase)
	// The locks come before what they protect: each statement sees what was committed before it began.
	for i := range questions {
		locks.queue(reads, &questions[i], &heads[i])
	}
	for i := range questions {
		question, head := &questions[i], &heads[i]
		reads.Queue(selectHead, [16]byte(question.Subject), question.Purpose, question.All, question.Record).Query(func(rows pgx.Rows) (err error) {
			number, err = scanHead(rows, head)
			return err
		})
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

// queue locks one ledger, and reads what is kept for its key.
func (l *ledgerLocks) queue(reads *pgx.Batch, question *LedgerQuestion, head *LedgerHead) {
	if key := question.Key; key != nil {
		reads.Queue(l.key, key.Client, key.Key).QueryRow(func(row pgx.Row) error {
			var held bool
			err := row.Scan(&held)
			head.Busy = !held
			return err
		})
		reads.Queue(selectAnswer, key.Client, key.Key).QueryRow(func(row pgx.Row) error {
			answer, _, err := scanAnswer(row, key)
			if privacy.KindOf(err) == privacy.KindConflict {
				head.Reused, err = err, nil
			}
			head.Answer = answer.Body
			return err
		})
	}
	reads.Queue(l.subject, [16]byte(question.Subject)).QueryRow(func(row pgx.Row) error {
		subject, err := scanSubject(row, question.Subject)
		if isNoRows(err) {
			head.Busy = head.Busy || l == skipLocked
			return nil
		}
		if !subject.Erased { // else there is none any more
			head.Subject = subject
		}
		return err
	})
}

// LedgerHead reads where the ledger of a locked subject ends, and where they stand on every purpose.
func (t *Tx) LedgerHead(ctx context.Context, subject Subject) (*LedgerHead, error) {
	head := &LedgerHead{Subject: subject}
	rows, err := t.tx.Query(ctx, selectHead, [16]byte(subject.ID), "", true, [16]byte{})
	if err != nil {
		return nil, wrap(err, "read the end of a ledger")
	}
	defer rows.Close()
	_, err = scanHead(rows, head)
	return head, wrap(err, "read the end of a ledger")
}

// Each kind of row is found by the subject's key, so that on Citus one shard answers; publication is on every node.
const selectHead = `
	SELECT (SELECT coalesce(max(number), 0) FROM publication),
		coalesce(r.seq, 0), r.hash,
		$4 <> '00000000-0000-0000-0000-000000000000'::uuid AND EXISTS (SELECT FROM consent_record k WHERE k.subject_id = $1 AND k.record_id = $4),
		coalesce(c.purpose, ''), coalesce(c.seq, 0), coalesce(c.status, ''), coalesce(c.explicit, false), c.separate_for, coalesce(c.given_by, ''),
		c.occurred_at, c.expires_at, coalesce(c.notice_id, ''), coalesce(c.notice_version, 0), c.updated_at
	FROM (VALUES (1)) AS one
	LEFT JOIN LATERAL (SELECT seq, hash FROM consent_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1) r ON true
	LEFT JOIN consent_state c ON c.subject_id = $1 AND (c.purpose = $2 OR $3)`

func scanHead(rows pgx.Rows, head *LedgerHead) (number int64, err error) {
	for rows.Next() {
		var state ConsentState
		if err := scanMaybeState(rows, &state, &number, &head.Seq, &head.Hash, &head.Known); err != nil {
			return 0, err
		}
		if state.Purpose != "" {
			head.States = append(head.States, state)
		}
	}
	return number, rows.Err()
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
