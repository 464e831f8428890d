package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// PutReceipt keeps the receipt of a record. One that is there already stays.
func (t *Tx) PutReceipt(ctx context.Context, id privacy.SubjectID, record [16]byte, jws string) error {
	w := &Writes{}
	w.PutReceipt(id, record, jws)
	return t.Send(ctx, w)
}

// PutReceipt is [Tx.PutReceipt] among other writes.
func (w *Writes) PutReceipt(id privacy.SubjectID, record [16]byte, jws string) {
	w.receipts = append(w.receipts, receiptRow{id, record, jws})
}

type receiptRow struct {
	subject privacy.SubjectID
	record  [16]byte
	jws     string
}

func queueReceipts(b *pgx.Batch, rows []receiptRow) {
	if len(rows) == 0 {
		return
	}
	b.Queue(`INSERT INTO consent_receipt (subject_id, record_id, jws) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) ON CONFLICT DO NOTHING`,
		subjectColumn(rows, func(r *receiptRow) [16]byte { return r.subject }),
		subjectColumn(rows, func(r *receiptRow) [16]byte { return r.record }),
		column(rows, func(r *receiptRow) string { return r.jws }))
}

// Receipt gives the receipt of a record, "" when none was made.
func (s *Store) Receipt(ctx context.Context, id privacy.SubjectID, record [16]byte) (jws string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT jws FROM consent_receipt WHERE subject_id = $1 AND record_id = $2`, [16]byte(id), record).Scan(&jws)
	if isNoRows(err) {
		return "", nil
	}
	return jws, wrap(err, "read a receipt")
}

// RecordSubject tells whose ledger a record is on; the zero subject when there is no such record.
func (s *Store) RecordSubject(ctx context.Context, record [16]byte) (id privacy.SubjectID, err error) {
	err = s.pool.QueryRow(ctx, `SELECT subject_id FROM consent_record WHERE record_id = $1`, record).Scan((*[16]byte)(&id))
	if isNoRows(err) {
		return privacy.SubjectID{}, nil
	}
	return id, wrap(err, "find a record")
}

// ConsentRecord reads one record of a subject's ledger.
func (s *Store) ConsentRecord(ctx context.Context, id privacy.SubjectID, record [16]byte) (ConsentRecord, error) {
	rows, err := s.pool.Query(ctx, selectConsentRecord+` WHERE subject_id = $1 AND record_id = $2`, [16]byte(id), record)
	if err != nil {
		return ConsentRecord{}, wrap(err, "read a record")
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanConsentRecord)
	if isNoRows(err) {
		return found, errNoRecord
	}
	return found, wrap(err, "read a record")
}

var errNoRecord = privacy.NotFound("record_not_found", "there is no such record")
