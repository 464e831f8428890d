package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// SealedPart is one thing that is sealed under a subject's key, with what its seal is bound to besides the subject.
type SealedPart struct {
	Table     PersonalTable
	Attribute privacy.AttributeID
	Version   uint32
	Sealed    []byte

	name   [16]byte // of its row: a request, or a message
	number int64    // of a row of a request
	index  []byte   // of an identifier
}

// PersonalTable is a table with things that are sealed under a subject's key.
type PersonalTable string

// The tables whose rows are sealed anew under another key. Exports are not: they hold what was deleted.
const (
	TableValue      PersonalTable = "attribute_value"
	TableIdentifier PersonalTable = "subject_identifier"
	TableEvidence   PersonalTable = "consent_evidence"
	TableSignal     PersonalTable = "subject_signal"
	TableDetail     PersonalTable = "rights_detail"
	TableMessage    PersonalTable = "message"
)

// SealedParts reads everything that is sealed under the key of a locked subject, but for their own row and their exports.
func (t *Tx) SealedParts(ctx context.Context, id privacy.SubjectID) ([]SealedPart, error) {
	rows, err := t.tx.Query(ctx, `
		SELECT 'attribute_value', attribute_id, version, NULL::uuid, 0, NULL::bytea, sealed FROM attribute_value WHERE subject_id = $1 AND sealed IS NOT NULL
		UNION ALL SELECT 'subject_identifier', type, 1, NULL, 0, blind_index, sealed FROM subject_identifier WHERE subject_id = $1 AND sealed <> ''
		UNION ALL SELECT 'consent_evidence', 0, seq, NULL, 0, NULL, sealed FROM consent_evidence WHERE subject_id = $1
		UNION ALL SELECT 'subject_signal', 0, seq, NULL, 0, NULL, sealed FROM subject_signal WHERE subject_id = $1 AND sealed <> ''
		UNION ALL SELECT 'rights_detail', 0, 1, request_id, number, NULL, sealed FROM rights_detail WHERE subject_id = $1
		UNION ALL SELECT 'message', 1, 1, message_id, 0, NULL, sealed FROM message WHERE subject_id = $1`, [16]byte(id))
	if err != nil {
		return nil, wrap(err, "read what is sealed")
	}
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p SealedPart, err error) {
		var attribute int32
		var version int64
		var name *[16]byte
		err = row.Scan(&p.Table, &attribute, &version, &name, &p.number, &p.index, &p.Sealed)
		p.Attribute, p.Version = privacy.AttributeID(attribute), uint32(version) //nolint:gosec // bounded by check constraints
		if name != nil {
			p.name = *name
		}
		return p, err
	})
	return parts, wrap(err, "read what is sealed")
}

// Rekeyed is a subject's row under another key.
type Rekeyed struct {
	Subject privacy.SubjectID
	From    privacy.KeySlot
	To      privacy.KeySlot
	Request privacy.RightsRequestID
	Joins   int32 // of the request
	State   []byte
	Facets  []byte // nil: there are none
}

// Rekey writes what was sealed anew over what was there, deletes exports, and notes the old slot as spent.
func (w *Writes) Rekey(r *Rekeyed, parts []SealedPart, at time.Time) {
	id := [16]byte(r.Subject)
	for i := range parts {
		p := &parts[i]
		switch p.Table {
		case TableValue:
			w.queue(`UPDATE attribute_value SET sealed = $3 WHERE subject_id = $1 AND attribute_id = $2`, id, int32(p.Attribute), p.Sealed)
		case TableIdentifier:
			w.queue(`UPDATE subject_identifier SET sealed = $4 WHERE subject_id = $1 AND type = $2 AND blind_index = $3`, id, int16(p.Attribute), p.index, p.Sealed) //nolint:gosec // a small number
		case TableEvidence:
			w.queue(`UPDATE consent_evidence SET sealed = $3 WHERE subject_id = $1 AND seq = $2`, id, int64(p.Version), p.Sealed)
		case TableSignal:
			w.queue(`UPDATE subject_signal SET sealed = $3 WHERE subject_id = $1 AND seq = $2`, id, int64(p.Version), p.Sealed)
		case TableDetail:
			w.queue(`UPDATE rights_detail SET sealed = $4 WHERE subject_id = $1 AND request_id = $2 AND number = $3`, id, p.name, p.number, p.Sealed)
		case TableMessage:
			w.queue(`UPDATE message SET sealed = $2 WHERE message_id = $1`, p.name, p.Sealed)
		}
	}
	w.queue(`DELETE FROM export WHERE subject_id = $1`, id)
	w.queue(`UPDATE subject SET key_slot = $2, state = $3, facets = $4, updated_at = $5 WHERE subject_id = $1`, id, int64(r.To), r.State, r.Facets, at)
	w.queue(`INSERT INTO spent_slot (subject_id, request_id, joins, key_slot, at) VALUES ($1, $2, $3, $4, $5)`, id, [16]byte(r.Request), r.Joins, int64(r.From), at)
}

// SealedFacets reads the facets of a locked subject.
func (t *Tx) SealedFacets(ctx context.Context, id privacy.SubjectID) (f Facets, err error) {
	var version int64
	err = t.tx.QueryRow(ctx, `SELECT facets_version, facets FROM subject WHERE subject_id = $1`, [16]byte(id)).Scan(&version, &f.Sealed)
	f.Version = uint32(version) //nolint:gosec // bounded by a check constraint
	return f, wrap(err, "read facets")
}

// SpentKey is the key that a subject had before a request was carried out.
type SpentKey struct {
	Slot        privacy.KeySlot
	PuncturedAt time.Time // zero: it may still be there
	PageVersion int64     // from which on its page lacks it; 0: not known
}

// SpentKeyOf gives the key that a subject had before a request was carried out as it was joined by then; false when that has not changed it.
func (s *Store) SpentKeyOf(ctx context.Context, r *RightsRequest) (key SpentKey, spent bool, err error) {
	var punctured *time.Time
	err = s.pool.QueryRow(ctx, `SELECT key_slot, punctured_at, coalesce(page_version, 0) FROM spent_slot WHERE subject_id = $1 AND request_id = $2 AND joins = $3`, [16]byte(r.Subject), [16]byte(r.ID), r.Joins).
		Scan(&key.Slot, &punctured, &key.PageVersion)
	if isNoRows(err) {
		return SpentKey{}, false, nil
	}
	key.PuncturedAt = timeOrZero(punctured)
	return key, err == nil, wrap(err, "read a spent key slot")
}

// SpentSlot is a slot that a subject had before a request.
type SpentSlot struct {
	Subject privacy.SubjectID
	Slot    privacy.KeySlot
}

// SpentSlots lists the spent slots of subjects whose keys may still be there.
func (s *Store) SpentSlots(ctx context.Context, subjects []privacy.SubjectID) ([]SpentSlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, key_slot FROM spent_slot WHERE subject_id = ANY($1) AND punctured_at IS NULL`, subjectArray(subjects))
	if err != nil {
		return nil, wrap(err, "read spent key slots")
	}
	list, err := pgx.CollectRows(rows, scanSpentSlot)
	return list, wrap(err, "read spent key slots")
}

// SpentSlotsIn lists all spent slots of a range of subjects.
func (s *Store) SpentSlotsIn(ctx context.Context, in SubjectRange) ([]SpentSlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, key_slot FROM spent_slot WHERE `+inRange, [16]byte(in.After), [16]byte(in.To))
	if err != nil {
		return nil, wrap(err, "read spent key slots")
	}
	list, err := pgx.CollectRows(rows, scanSpentSlot)
	return list, wrap(err, "read spent key slots")
}

func scanSpentSlot(row pgx.CollectableRow) (one SpentSlot, err error) {
	return one, row.Scan((*[16]byte)(&one.Subject), &one.Slot)
}

// NoteSpentPunctured notes that the key of a spent slot is gone, from a version of its page on.
func (s *Store) NoteSpentPunctured(ctx context.Context, spent SpentSlot, pageVersion int, at time.Time) error {
	_, err := s.pool.Exec(ctx, `UPDATE spent_slot SET punctured_at = $3, page_version = $4 WHERE subject_id = $1 AND key_slot = $2 AND punctured_at IS NULL`,
		[16]byte(spent.Subject), int64(spent.Slot), at, int64(pageVersion))
	return wrap(err, "note a puncture")
}
