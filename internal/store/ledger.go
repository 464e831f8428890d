package store

import (
	"context"

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
	Answer   []byte // kept for the idempotency key; nil: none
}

// WriteLedger reads the end of a ledger, has the work decide what to write, and writes it: two round trips in
// all, because recording consent is what people wait for. The transaction begins with the first and ends with
// the second. Like [Store.Write] it may run the work again; a work that fails leaves nothing behind, and one
// that asks for nothing to be written ends well.
func (s *Store) WriteLedger(ctx context.Context, question LedgerQuestion, work func(head *LedgerHead, w *Writes) error) error {
	return again(func() error { return s.writeLedgerOnce(ctx, question, work) })
}

func (s *Store) writeLedgerOnce(ctx context.Context, question LedgerQuestion, work func(head *LedgerHead, w *Writes) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return wrap(err, "connect")
	}
	defer conn.Release() // a connection that is still in a transaction is closed by the pool
	head, err := s.lockLedger(ctx, conn, question)
	if err == nil {
		w := &Writes{}
		if err = work(head, w); err == nil && len(w.batch.QueuedQueries) > 0 {
			w.queue("commit")
			// Once sent it must be known whether it was done: a caller who leaves does not stop it.
			err = end(ctx, func(ctx context.Context) error { return conn.SendBatch(ctx, &w.batch).Close() })
			if err == nil && w.changed {
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

func (s *Store) lockLedger(ctx context.Context, conn *pgxpool.Conn, question LedgerQuestion) (*LedgerHead, error) {
	head := &LedgerHead{}
	var number int64
	reads := &pgx.Batch{}
	reads.Queue("begin")
	if question.Key != nil {
		reads.Queue(lockKey, question.Key.Client, question.Key.Key)
		reads.Queue(selectAnswer, question.Key.Client, question.Key.Key).QueryRow(func(row pgx.Row) error {
			answer, ok, err := scanAnswer(row, question.Key)
			if ok {
				head.Answer = answer.Body
			}
			return err
		})
	}
	// The lock comes before what it protects: each statement sees what was committed before it began.
	reads.Queue(lockSubject, [16]byte(question.Subject)).QueryRow(func(row pgx.Row) error {
		subject, err := scanSubject(row, question.Subject)
		if isNoRows(err) {
			return nil
		}
		head.Subject = subject
		return err
	})
	reads.Queue(selectHead, [16]byte(question.Subject), question.Purpose, question.All, question.Record).Query(func(rows pgx.Rows) (err error) {
		number, err = scanHead(rows, head)
		return err
	})
	if err := conn.SendBatch(ctx, reads).Close(); err != nil {
		return nil, err
	}
	var err error
	head.Revision, err = s.publicationOn(ctx, conn, number)
	return head, err
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
