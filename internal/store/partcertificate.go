package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// PartEntries reads the entries that tell of the erasure of a part, an object of the audit log, oldest first: what was deleted, and that what was left was
// sealed under another key.
func (s *Store) PartEntries(ctx context.Context, id privacy.SubjectID, object string) ([]audit.Entry, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+entryColumnNames+` FROM audit_entry WHERE subject_id = $1 AND object = $2 AND action IN ('erasure.fields', 'subject.rekey') ORDER BY batch_id, id`,
		[16]byte(id), object)
	if err != nil {
		return nil, wrap(err, "read what was erased")
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	return entries, wrap(err, "read what was erased")
}

// CertifyPart keeps the certificate of the erasure of a part.
func (t *Tx) CertifyPart(ctx context.Context, r *RightsRequest, certificate string, at time.Time) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO part_certificate (subject_id, request_id, certificate, certified_at) VALUES ($1, $2, $3, $4)`, [16]byte(r.Subject), [16]byte(r.ID), certificate, at)
	return wrap(err, "keep a certificate")
}

// PartsCertified tells which of some erasures of a part have a certificate.
func (s *Store) PartsCertified(ctx context.Context, refs []RightsRequestRef) (map[privacy.RightsRequestID]bool, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT request_id FROM part_certificate WHERE (subject_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`,
		subjectColumn(refs, func(r *RightsRequestRef) [16]byte { return r.Subject }), column(refs, func(r *RightsRequestRef) [16]byte { return r.ID }))
	if err != nil {
		return nil, wrap(err, "look for certificates")
	}
	certified := make(map[privacy.RightsRequestID]bool)
	var id privacy.RightsRequestID
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id)}, func() error { certified[id] = true; return nil })
	return certified, wrap(err, "look for certificates")
}
