package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// LedgerEnd gives the number and the hash of the last record on a ledger: 0 and nil when there is none, and no hash of a
// record from before there was a chain.
func (s *Store) LedgerEnd(ctx context.Context, id privacy.SubjectID) (seq int32, hash []byte, err error) {
	err = s.pool.QueryRow(ctx, `SELECT seq, hash FROM consent_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1`, [16]byte(id)).Scan(&seq, &hash)
	if isNoRows(err) {
		return 0, nil, nil
	}
	return seq, hash, wrap(err, "find the end of a ledger")
}

// LedgerPage reads records of a ledger, oldest first: up to limit of those after one number and not after another.
func (s *Store) LedgerPage(ctx context.Context, id privacy.SubjectID, after, to int32, limit int) ([]ConsentRecord, error) {
	rows, err := s.pool.Query(ctx, selectConsentRecord+` WHERE subject_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`, [16]byte(id), after, to, limit)
	if err != nil {
		return nil, wrap(err, "read the consent ledger")
	}
	records, err := pgx.CollectRows(rows, scanConsentRecord)
	return records, wrap(err, "read the consent ledger")
}

// KeptReceipt is the receipt of a record; JWS is "" when none was made.
type KeptReceipt struct {
	Seq    int32
	Record [16]byte
	JWS    string
}

// ReceiptPage reads the receipts of a stretch of a ledger, as LedgerPage does its records.
func (s *Store) ReceiptPage(ctx context.Context, id privacy.SubjectID, after, to int32, limit int) ([]KeptReceipt, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT r.seq, r.record_id, coalesce(k.jws, '') FROM consent_record r LEFT JOIN consent_receipt k ON k.subject_id = r.subject_id AND k.record_id = r.record_id
		WHERE r.subject_id = $1 AND r.seq > $2 AND r.seq <= $3 ORDER BY r.seq LIMIT $4`, [16]byte(id), after, to, limit)
	if err != nil {
		return nil, wrap(err, "read receipts")
	}
	receipts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[KeptReceipt])
	return receipts, wrap(err, "read receipts")
}

// EntriesOn lists the audit entries of a subject that name one of the objects, oldest first. Entries in runs name none.
func (s *Store) EntriesOn(ctx context.Context, id privacy.SubjectID, objects []string) ([]audit.Entry, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+entryColumnNames+` FROM audit_entry WHERE subject_id = $1 AND object COLLATE "C" = ANY($2) ORDER BY batch_id, id`, [16]byte(id), objects)
	if err != nil {
		return nil, wrap(err, "list audit entries")
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	return entries, wrap(err, "list audit entries")
}
