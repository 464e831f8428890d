package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Tombstones lists the records of tombstones that erasures name, with a slot of their page: all of them, or only those of which it is
// noted that the keyring has them.
func (s *Store) Tombstones(ctx context.Context, buried bool) (map[[16]byte]privacy.KeySlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT tombstone, min(key_slot) FROM erasure WHERE NOT $1 OR step <> 'marked' GROUP BY tombstone`, buried)
	if err != nil {
		return nil, wrap(err, "list tombstones")
	}
	known := make(map[[16]byte]privacy.KeySlot)
	var id [16]byte
	var slot privacy.KeySlot
	_, err = pgx.ForEachRow(rows, []any{&id, &slot}, func() error { known[id] = slot; return nil })
	return known, wrap(err, "list tombstones")
}

// KeySlots reads the key slots of a range of subjects, and who of them is erased; nothing else of them.
func (s *Store) KeySlots(ctx context.Context, in SubjectRange) ([]Subject, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, key_slot, erased_at IS NOT NULL FROM subject WHERE `+inRange, [16]byte(in.After), [16]byte(in.To))
	if err != nil {
		return nil, wrap(err, "read key slots")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Subject, error) {
		var subject Subject
		return subject, row.Scan((*[16]byte)(&subject.ID), &subject.Slot, &subject.Erased)
	})
	return list, wrap(err, "read key slots")
}

// RestoreRequest takes the request of an erasure up again that a backup does not know, as far as its tombstone tells of it. One that the backup knows
// as open, of the same person, is closed in its favour: there is one.
func (w *Writes) RestoreRequest(e *Erasure, at time.Time) {
	w.queue(`UPDATE rights_request SET state = 'completed', joined_to = $2, closed_at = $3, updated_at = $3, version = version + 1
		WHERE subject_id = $1 AND type = 'erasure' AND scope = '*' AND request_id <> $2 AND state IN ('in_progress', 'awaiting_processors')`, [16]byte(e.Subject), [16]byte(e.Request), at)
	w.queue(`INSERT INTO rights_request (subject_id, request_id, type, scope, state, version, lodged_by, identified_by, regime, revision_id, received_at, acknowledged_at, due_at, legal_due_on, client, actor, updated_at)
		VALUES ($1, $2, 'erasure', '*', 'in_progress', 1, 'subject', 'token', 'default', '', $3, $3, $4, $5, 'consentry', '', $4)
		ON CONFLICT (subject_id, request_id) DO UPDATE SET state = 'in_progress', identified_by = 'token', updated_at = $4 WHERE rights_request.state = 'verifying'`,
		[16]byte(e.Subject), [16]byte(e.Request), e.MarkedAt, at, at.Truncate(24*time.Hour))
	w.queue(`UPDATE erasure SET step = 'buried', hashes = '' WHERE subject_id = $1 AND request_id = $2 AND step = 'marked' AND $3`, [16]byte(e.Subject), [16]byte(e.Request), e.Step == ErasureBuried)
}

// StartOver writes a locked subject anew, under a key of which nothing is sealed but their state, and deletes what was sealed under the one before. Their
// identifiers go on finding them; what they are is not known.
func (w *Writes) StartOver(subject *Subject, at time.Time) {
	id := [16]byte(subject.ID)
	w.queue(`DELETE FROM attribute_value WHERE subject_id = $1 AND sealed IS NOT NULL`, id) // what was deleted before keeps older copies out
	for _, table := range []string{"consent_evidence", "rights_detail", "message", "confirmation", "export"} {
		w.queue(`DELETE FROM `+table+` WHERE subject_id = $1`, id)
	}
	w.queue(`UPDATE subject_identifier SET sealed = '' WHERE subject_id = $1`, id)
	w.queue(`UPDATE subject_signal SET sealed = '' WHERE subject_id = $1`, id)
	w.queue(`UPDATE subject SET key_slot = $2, version = $3, state = $4, facets = NULL, facets_version = facets_version + 1, updated_at = $5 WHERE subject_id = $1`,
		id, int64(subject.Slot), int64(subject.Version), subject.State, at)
}

// UnfinishedErasures lists erasures that no certificate has ended and that wait for nobody, after a subject.
func (s *Store) UnfinishedErasures(ctx context.Context, after privacy.SubjectID, limit int) ([]RightsRequestRef, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, request_id FROM erasure e WHERE step <> 'certified' AND subject_id > $1
		AND NOT (step = 'told' AND EXISTS (SELECT FROM rights_recipient p WHERE p.subject_id = e.subject_id AND p.request_id = e.request_id AND p.acknowledged_at IS NULL))
		ORDER BY subject_id LIMIT $2`, [16]byte(after), limit)
	if err != nil {
		return nil, wrap(err, "list erasures under way")
	}
	refs, err := pgx.CollectRows(rows, scanRightsRef)
	return refs, wrap(err, "list erasures under way")
}
