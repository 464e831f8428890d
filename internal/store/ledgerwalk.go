package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Ledger is all there is of one subject's consent, as of one moment: what was recorded, where it is said to leave
// them, and what the audit log says was recorded.
type Ledger struct {
	Subject  privacy.SubjectID
	Exists   bool // false: only the audit log knows the subject
	Standing privacy.Standing
	Records  []ConsentRecord // in order
	States   []ConsentState
	Signals  []Signal        // their effects
	Audited  []AuditedRecord // in no order
}

// AuditedRecord is a record as its audit entry names it.
type AuditedRecord struct {
	Object  string
	Action  string
	Purpose privacy.PurposeName
}

// Ledgers reads the ledgers of a range of subjects, read rights suffice. Those who only stand in the audit log are
// among them.
func (s *Store) Ledgers(ctx context.Context, in SubjectRange) ([]*Ledger, error) {
	walk := ledgerWalk{found: make(map[privacy.SubjectID]*Ledger)}
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, wrap(err, "read ledgers")
	}
	defer func() { _ = end(ctx, tx.Rollback) }()
	for _, part := range ledgerParts {
		rows, err := tx.Query(ctx, part.sql, [16]byte(in.After), [16]byte(in.To))
		if err != nil {
			return nil, wrap(err, "read ledgers")
		}
		if _, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, part.take(&walk, row) }); err != nil {
			return nil, wrap(err, "read ledgers")
		}
	}
	return walk.inOrder, nil
}

// ReadLedger reads the ledger of a locked subject, without what the audit log says.
func (t *Tx) ReadLedger(ctx context.Context, subject Subject) (*Ledger, error) {
	walk := ledgerWalk{found: make(map[privacy.SubjectID]*Ledger)}
	for _, part := range ledgerParts {
		if strings.Contains(part.sql, "audit_entry") {
			continue
		}
		rows, err := t.tx.Query(ctx, strings.Replace(part.sql, inRange, "subject_id BETWEEN $1 AND $2", 1), [16]byte(subject.ID), [16]byte(subject.ID))
		if err != nil {
			return nil, wrap(err, "read a ledger")
		}
		if _, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) { return struct{}{}, part.take(&walk, row) }); err != nil {
			return nil, wrap(err, "read a ledger")
		}
	}
	return walk.of(subject.ID), nil
}

type ledgerWalk struct {
	found   map[privacy.SubjectID]*Ledger
	inOrder []*Ledger
}

func (w *ledgerWalk) of(id privacy.SubjectID) *Ledger {
	if l, ok := w.found[id]; ok {
		return l
	}
	l := &Ledger{Subject: id}
	w.found[id], w.inOrder = l, append(w.inOrder, l)
	return l
}

// after scans the subject's id before the rest of a row.
type after struct {
	pgx.CollectableRow
	id *privacy.SubjectID
}

func (r after) Scan(dest ...any) error {
	return r.CollectableRow.Scan(append([]any{(*[16]byte)(r.id)}, dest...)...)
}

const inRange = "subject_id > $1 AND subject_id <= $2"

var ledgerParts = []struct {
	sql  string
	take func(w *ledgerWalk, row pgx.CollectableRow) error
}{
	{`SELECT s.subject_id, ` + selectStanding + ` FROM subject s WHERE ` + inRange + ` ORDER BY subject_id`, func(w *ledgerWalk, row pgx.CollectableRow) (err error) {
		var id privacy.SubjectID
		var content []byte
		if err := row.Scan((*[16]byte)(&id), &content); err != nil {
			return err
		}
		l := w.of(id)
		l.Exists = true
		l.Standing, err = readStanding(content)
		return err
	}},
	{strings.Replace(selectConsentRecord, "SELECT", "SELECT subject_id,", 1) + ` WHERE ` + inRange + ` ORDER BY subject_id, seq`, func(w *ledgerWalk, row pgx.CollectableRow) error {
		var id privacy.SubjectID
		record, err := scanConsentRecord(after{row, &id})
		l := w.of(id)
		l.Records = append(l.Records, record)
		return err
	}},
	{strings.Replace(selectConsentState, "SELECT", "SELECT subject_id,", 1) + ` WHERE ` + inRange + ` ORDER BY subject_id, purpose`, func(w *ledgerWalk, row pgx.CollectableRow) error {
		var id privacy.SubjectID
		state, err := scanConsentState(after{row, &id})
		l := w.of(id)
		l.States = append(l.States, state)
		return err
	}},
	{`SELECT subject_id, ` + signalColumns + ` FROM subject_signal WHERE ` + inRange + ` ORDER BY subject_id, seq`, func(w *ledgerWalk, row pgx.CollectableRow) error {
		var id privacy.SubjectID
		signal, err := scanSignal(after{row, &id})
		l := w.of(id)
		l.Signals = append(l.Signals, signal)
		return err
	}},
	{`SELECT subject_id, object, action, purpose FROM audit_entry WHERE ` + inRange + ` AND object LIKE 'consent/%'`, func(w *ledgerWalk, row pgx.CollectableRow) error {
		var id privacy.SubjectID
		var audited AuditedRecord
		err := row.Scan((*[16]byte)(&id), &audited.Object, &audited.Action, &audited.Purpose)
		l := w.of(id)
		l.Audited = append(l.Audited, audited)
		return err
	}},
}
