package store

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// OnRecord reports whether the entry of a disclosure would say what the last one about the same subject, object, client and purpose says. It is for
// disclosures that are part of something, their object: those are never in a run. Overtaken says that there was an order about the subject since this one
// was decided; see [Store.CommitAudit].
func (s *Store) OnRecord(ctx context.Context, d *audit.Draft) (known, overtaken bool, err error) {
	var decision []byte // NULL: nothing was decided
	if !d.Decision.IsZero() {
		decision = d.Decision[:]
	}
	err = s.pool.QueryRow(ctx, `SELECT decision_hash IS NOT DISTINCT FROM $5 AND attributes = string_to_array($6, ',') FROM audit_entry
		WHERE subject_id = $1 AND object = $2 AND client = $3 AND purpose = $4 AND action = 'disclosure' ORDER BY batch_id DESC, id DESC LIMIT 1`,
		[16]byte(d.Subject), d.Object, d.Client, d.Purpose, decision, joinNames(d.Attributes)).Scan(&known)
	if isNoRows(err) {
		return false, false, nil
	}
	if err != nil || !known {
		return false, false, wrap(err, "look for a disclosure on record")
	}
	rows, err := s.pool.Query(ctx, selectOrders, subjectArray([]privacy.SubjectID{d.Subject}))
	if err != nil {
		return false, false, wrap(err, "look for orders about a subject")
	}
	late, err := collectOvertaken(rows, map[privacy.SubjectID]int32{d.Subject: d.Orders})
	return true, late[d.Subject], wrap(err, "look for orders about a subject")
}
