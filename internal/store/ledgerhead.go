package store

import (
	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Where several ledgers are written, each of the statements below serves all of them, because the server spends more on a statement
// than on a row. Citus locks and looks at one subject in one shard at a time: there, and for a single ledger, they come one by one.

// ledgerLocks are the statements that lock a key, which answers whether it could, and a subject.
type ledgerLocks struct {
	key     string
	subject string
	skip    bool // what somebody else holds
}

var (
	waitForLocks = &ledgerLocks{key: `SELECT true FROM pg_advisory_xact_lock(` + keyHash + `)`, subject: lockSubject}
	skipLocked   = &ledgerLocks{key: `SELECT pg_try_advisory_xact_lock(` + keyHash + `)`, subject: lockSubject + ` SKIP LOCKED`, skip: true}
)

// queueKeys locks the idempotency keys, and reads what is kept for them.
func (l *ledgerLocks) queueKeys(reads *pgx.Batch, questions []LedgerQuestion, heads []LedgerHead) {
	for i := range questions {
		key, head := questions[i].Key, &heads[i]
		if key == nil {
			continue
		}
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
			head.Answer = answer
			return err
		})
	}
}

func (l *ledgerLocks) queueSubject(reads *pgx.Batch, question *LedgerQuestion, head *LedgerHead) {
	reads.Queue(l.subject, [16]byte(question.Subject)).QueryRow(func(row pgx.Row) error {
		var subject Subject
		err := scanSubject(row, &subject)
		if isNoRows(err) {
			head.Busy = head.Busy || l.skip
			return nil
		}
		head.hold(subject)
		return err
	})
}

// queueSubjects is queueSubject for several, each other than the others, of whom those that somebody else holds are left out.
func (l *ledgerLocks) queueSubjects(reads *pgx.Batch, questions []LedgerQuestion, heads []LedgerHead) {
	of := make(map[privacy.SubjectID]*LedgerHead, len(questions))
	for i := range questions {
		of[questions[i].Subject] = &heads[i]
	}
	reads.Queue(skipSubjects, subjectColumn(questions, func(q *LedgerQuestion) [16]byte { return q.Subject })).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var subject Subject
			if err := scanSubject(rows, &subject); err != nil {
				return err
			}
			of[subject.ID].hold(subject)
			delete(of, subject.ID)
		}
		for _, head := range of {
			head.Busy = true
		}
		return rows.Err()
	})
}

const skipSubjects = selectSubject + ` WHERE subject_id = ANY($1) FOR UPDATE SKIP LOCKED`

// hold notes the subject, who is none any more once they are erased.
func (h *LedgerHead) hold(subject Subject) {
	if !subject.Erased {
		h.Subject = subject
	}
}

// Each kind of row is found by the subject's key, so that on Citus one shard answers; publication is on every node.
const (
	selectHead = `
	SELECT 1::bigint, ` + headColumns + `
	FROM (VALUES (1)) AS one
	LEFT JOIN LATERAL (SELECT seq, hash FROM consent_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1) r ON true
	LEFT JOIN consent_state c ON c.subject_id = $1 AND (c.purpose = $2 OR $3)
	LEFT JOIN consent_record k ON k.subject_id = $1 AND k.record_id = $4`

	selectHeads = `
	SELECT q.place, ` + headColumns + `
	FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::uuid[]) WITH ORDINALITY AS q (subject_id, purpose, every, record_id, place)
	LEFT JOIN LATERAL (SELECT seq, hash FROM consent_record WHERE subject_id = q.subject_id ORDER BY seq DESC LIMIT 1) r ON true
	LEFT JOIN consent_state c ON c.subject_id = q.subject_id AND (c.purpose = q.purpose OR q.every)
	LEFT JOIN consent_record k ON k.subject_id = q.subject_id AND k.record_id = q.record_id`

	headColumns = `(SELECT coalesce(max(number), 0) FROM publication), coalesce(r.seq, 0), r.hash, k.record_id IS NOT NULL,
		coalesce(c.purpose, ''), coalesce(c.seq, 0), coalesce(c.status, ''), coalesce(c.explicit, false), c.separate_for, coalesce(c.given_by, ''),
		c.occurred_at, c.expires_at, coalesce(c.notice_id, ''), coalesce(c.notice_version, 0), c.updated_at`
)

// queueHead reads where a ledger ends. number becomes that of the publication in force.
func queueHead(reads *pgx.Batch, q *LedgerQuestion, head *LedgerHead, number *int64) {
	record := &q.Record
	if *record == ([16]byte{}) {
		record = nil
	}
	reads.Queue(selectHead, [16]byte(q.Subject), q.Purpose, q.All, record).Query(func(rows pgx.Rows) error {
		return scanHeads(rows, func(int64) *LedgerHead { return head }, number)
	})
}

// queueHeads is queueHead for several, in one statement.
func queueHeads(reads *pgx.Batch, questions []LedgerQuestion, heads []LedgerHead, number *int64) {
	reads.Queue(selectHeads,
		subjectColumn(questions, func(q *LedgerQuestion) [16]byte { return q.Subject }),
		column(questions, func(q *LedgerQuestion) string { return string(q.Purpose) }),
		column(questions, func(q *LedgerQuestion) bool { return q.All }),
		subjectColumn(questions, func(q *LedgerQuestion) [16]byte { return q.Record })).Query(func(rows pgx.Rows) error {
		return scanHeads(rows, func(place int64) *LedgerHead { return &heads[place-1] }, number)
	})
}

func scanHeads(rows pgx.Rows, at func(place int64) *LedgerHead, number *int64) error {
	for rows.Next() {
		var place int64
		var end LedgerHead
		var state ConsentState
		if err := scanMaybeState(rows, &state, &place, number, &end.Seq, &end.Hash, &end.Known); err != nil {
			return err
		}
		head := at(place)
		head.Seq, head.Hash, head.Known = end.Seq, end.Hash, end.Known
		if state.Purpose != "" {
			head.States = append(head.States, state)
		}
	}
	return rows.Err()
}
