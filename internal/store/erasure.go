package store

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// ErasureStep says how far an erasure has come; each step is done with once the row says so.
type ErasureStep string

// The steps, in order.
const (
	ErasureMarked    ErasureStep = "marked"    // nothing is read any more, what was queued is gone, the identifiers find nobody
	ErasureBuried    ErasureStep = "buried"    // the keyring knows of it, whatever becomes of the database
	ErasurePunctured ErasureStep = "punctured" // the key is gone
	ErasureDeleted   ErasureStep = "deleted"   // and so is all that was sealed under it
	ErasureTold      ErasureStep = "told"      // the processors to be told are noted, and the event is on its way
	ErasureCertified ErasureStep = "certified" // everybody has confirmed it, and the certificate is made
)

// Erasure is how far the erasure of a subject has come.
type Erasure struct {
	Subject     privacy.SubjectID
	Request     privacy.RightsRequestID
	Step        ErasureStep
	Slot        privacy.KeySlot
	Tombstone   [16]byte
	Hashes      []IdentifierKey // under the key of suppression
	MarkedAt    time.Time
	PageVersion int64
	PuncturedAt time.Time
	DeletedAt   time.Time
	Erased      Erased
	Entries     []string // names of the audit entries that tell of it
	Certificate string
	CertifiedAt time.Time
}

// Erased says what was deleted, by the numbers of the catalogue.
type Erased struct {
	Attributes  []privacy.AttributeID `json:"attributes,omitempty"`
	Identifiers []privacy.AttributeID `json:"identifiers,omitempty"` // their types
	Evidence    int                   `json:"evidence,omitempty"`
	Signals     int                   `json:"signals,omitempty"`
	Details     int                   `json:"details,omitempty"` // of requests
}

const erasureColumns = `subject_id, request_id, step, key_slot, tombstone, hashes, marked_at, coalesce(page_version, 0), punctured_at, deleted_at, erased, entries, coalesce(certificate, ''), certified_at`

func scanErasure(row pgx.CollectableRow) (Erasure, error) {
	var e Erasure
	var hashes, erased []byte
	var punctured, deleted, certified *time.Time
	err := row.Scan((*[16]byte)(&e.Subject), (*[16]byte)(&e.Request), &e.Step, &e.Slot, &e.Tombstone, &hashes, &e.MarkedAt, &e.PageVersion, &punctured, &deleted, &erased, &e.Entries, &e.Certificate, &certified)
	if err != nil {
		return e, err
	}
	e.MarkedAt, e.PuncturedAt, e.DeletedAt, e.CertifiedAt = e.MarkedAt.UTC(), timeOrZero(punctured), timeOrZero(deleted), timeOrZero(certified)
	e.Hashes = unpackKeys(hashes)
	return e, json.Unmarshal(erased, &e.Erased)
}

// Keys are kept packed: two bytes for the type, sixteen for the hash.
const packedKey = 2 + len(BlindIndex{})

func packKeys(keys []IdentifierKey) []byte {
	packed := make([]byte, 0, len(keys)*packedKey)
	for _, key := range keys {
		packed = append(binary.BigEndian.AppendUint16(packed, uint16(key.Type)), key.Index[:]...)
	}
	return packed
}

func unpackKeys(packed []byte) (keys []IdentifierKey) {
	for ; len(packed) >= packedKey; packed = packed[packedKey:] {
		keys = append(keys, IdentifierKey{privacy.AttributeID(binary.BigEndian.Uint16(packed)), BlindIndex(packed[2:packedKey])})
	}
	return keys
}

// MarkErased stops all reads of a locked subject: from the commit on they are erased, and their identifiers find nobody and are
// suppressed. What was to be sent to them is cancelled, and segments count them no more; change names the event that says so.
func (w *Writes) MarkErased(e *Erasure, change [16]byte) {
	id := [16]byte(e.Subject)
	w.queue(`UPDATE subject SET erased_at = $2, updated_at = $2 WHERE subject_id = $1 AND erased_at IS NULL`, id, e.MarkedAt)
	w.queue(`DELETE FROM message WHERE subject_id = $1`, id)
	w.queue(`DELETE FROM confirmation WHERE subject_id = $1`, id)
	w.queue(`INSERT INTO erasure (subject_id, request_id, step, key_slot, tombstone, hashes, marked_at, entries) VALUES ($1, $2, 'marked', $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING`, id, [16]byte(e.Request), int64(e.Slot), e.Tombstone, packKeys(e.Hashes), e.MarkedAt, e.Entries)
	w.Suppress(e.Hashes, e.Request, e.MarkedAt)
	w.DropFacets(e.Subject, change, e.MarkedAt)
}

// ReleaseIdentifiers lets identifiers find nobody any more.
func (w *Writes) ReleaseIdentifiers(keys []IdentifierKey) {
	types, indexes := splitKeys(keys)
	w.queue(`DELETE FROM identifier WHERE (type, blind_index) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, indexes)
}

// Suppress marks identifiers, by their hashes, as those of somebody who was erased.
func (w *Writes) Suppress(hashes []IdentifierKey, request privacy.RightsRequestID, at time.Time) {
	types, values := splitKeys(hashes)
	w.queue(`INSERT INTO suppression (type, hash, request_id, at) SELECT k.type, k.hash, $3, $4 FROM unnest($1::smallint[], $2::bytea[]) AS k (type, hash) ON CONFLICT DO NOTHING`,
		types, values, [16]byte(request), at)
}

// Suppressed tells which of the hashes are marked.
func (s *Store) Suppressed(ctx context.Context, hashes []IdentifierKey) (map[IdentifierKey]bool, error) {
	types, values := splitKeys(hashes)
	rows, err := s.pool.Query(ctx, `SELECT type, hash FROM suppression WHERE (type, hash) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, values)
	if err != nil {
		return nil, wrap(err, "look for erased identifiers")
	}
	found := make(map[IdentifierKey]bool)
	var kind int16
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&kind, &hash}, func() error {
		found[IdentifierKey{privacy.AttributeID(kind), BlindIndex(hash)}] = true //nolint:gosec // the catalogue numbers types from 1
		return nil
	})
	return found, wrap(err, "look for erased identifiers")
}

// SealedIdentifiers reads the identifiers of locked subjects, sealed.
func (t *Tx) SealedIdentifiers(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID][]Identifier, error) {
	rows, err := t.tx.Query(ctx, `SELECT subject_id, type, blind_index, sealed FROM subject_identifier WHERE subject_id = ANY($1)`, subjectArray(subjects))
	if err != nil {
		return nil, wrap(err, "read identifiers")
	}
	found := make(map[privacy.SubjectID][]Identifier, len(subjects))
	var id privacy.SubjectID
	var kind int16
	var index, sealed []byte
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &kind, &index, &sealed}, func() error {
		key := IdentifierKey{privacy.AttributeID(kind), BlindIndex(index)} //nolint:gosec // the catalogue numbers types from 1
		found[id] = append(found[id], Identifier{Key: key, Sealed: sealed})
		sealed = nil
		return nil
	})
	return found, wrap(err, "read identifiers")
}

// Erasures reads how far erasures have come, of those requests there is one for.
func (s *Store) Erasures(ctx context.Context, subjects []privacy.SubjectID) ([]Erasure, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+erasureColumns+` FROM erasure WHERE subject_id = ANY($1) ORDER BY subject_id`, subjectArray(subjects))
	if err != nil {
		return nil, wrap(err, "read erasures")
	}
	list, err := pgx.CollectRows(rows, scanErasure)
	return list, wrap(err, "read erasures")
}

// ErasuresBuried reads all erasures that a record of tombstones tells of.
func (s *Store) ErasuresBuried(ctx context.Context, tombstone [16]byte) ([]Erasure, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+erasureColumns+` FROM erasure WHERE tombstone = $1 ORDER BY subject_id`, tombstone)
	if err != nil {
		return nil, wrap(err, "read erasures")
	}
	list, err := pgx.CollectRows(rows, scanErasure)
	return list, wrap(err, "read erasures")
}

// StepErasures moves erasures on that have come as far as the step before.
func (s *Store) StepErasures(ctx context.Context, subjects []privacy.SubjectID, from, to ErasureStep) error {
	_, err := s.pool.Exec(ctx, `UPDATE erasure SET step = $3 WHERE subject_id = ANY($1) AND step = $2`, subjectArray(subjects), from, to)
	return wrap(err, "note a step of an erasure")
}

// NotePunctured moves erasures on whose key is gone from the given version of its page.
func (s *Store) NotePunctured(ctx context.Context, subjects []privacy.SubjectID, pageVersion int, at time.Time) error {
	_, err := s.pool.Exec(ctx, `UPDATE erasure SET step = 'punctured', page_version = $2, punctured_at = $3 WHERE subject_id = ANY($1) AND step = 'buried'`, subjectArray(subjects), int64(pageVersion), at)
	return wrap(err, "note a step of an erasure")
}

// PersonalTables are those with something in them that is sealed under a subject's key, but for the subject's own row: all of
// them are emptied of an erased subject.
func PersonalTables() []string {
	return []string{"attribute_value", "subject_identifier", "consent_evidence", "subject_signal", "rights_detail", "message", "export_chunk"}
}

// DeletePersonal deletes all that is sealed under the keys of erased subjects, and tells what it was. The ledger, the signals' effects,
// the audit log and the requests stay: they name nobody.
func (t *Tx) DeletePersonal(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]*Erased, error) {
	erased := make(map[privacy.SubjectID]*Erased, len(subjects))
	for _, id := range subjects {
		erased[id] = &Erased{}
	}
	ids := subjectArray(subjects)
	var id privacy.SubjectID
	var number int32
	numbered := []any{(*[16]byte)(&id), &number}
	batch := &pgx.Batch{}
	collect := func(sql string, take func(e *Erased)) {
		batch.Queue(sql, ids).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, numbered, func() error { take(erased[id]); return nil })
			return err
		})
	}
	collect(`DELETE FROM attribute_value WHERE subject_id = ANY($1) RETURNING subject_id, attribute_id`, func(e *Erased) { e.Attributes = append(e.Attributes, privacy.AttributeID(number)) })       //nolint:gosec // bounded by a check constraint
	collect(`DELETE FROM subject_identifier WHERE subject_id = ANY($1) RETURNING subject_id, type::integer`, func(e *Erased) { e.Identifiers = append(e.Identifiers, privacy.AttributeID(number)) }) //nolint:gosec // the catalogue numbers types from 1
	collect(`DELETE FROM consent_evidence WHERE subject_id = ANY($1) RETURNING subject_id, seq`, func(e *Erased) { e.Evidence++ })
	collect(`UPDATE subject_signal SET sealed = '' WHERE subject_id = ANY($1) AND sealed <> '' RETURNING subject_id, seq`, func(e *Erased) { e.Signals++ })
	collect(`DELETE FROM rights_detail WHERE subject_id = ANY($1) RETURNING subject_id, number`, func(e *Erased) { e.Details++ })
	batch.Queue(`DELETE FROM rights_code WHERE subject_id = ANY($1)`, ids)
	batch.Queue(`DELETE FROM message WHERE subject_id = ANY($1)`, ids)
	batch.Queue(`DELETE FROM confirmation WHERE subject_id = ANY($1)`, ids)
	batch.Queue(`DELETE FROM export WHERE subject_id = ANY($1)`, ids) // and its chunks
	batch.Queue(`UPDATE subject SET state = '', facets = NULL WHERE subject_id = ANY($1)`, ids)
	return erased, wrap(t.tx.SendBatch(ctx, batch).Close(), "delete what was sealed")
}

// NoteDeleted moves an erasure on after DeletePersonal, with the audit entry that tells of it.
func (w *Writes) NoteDeleted(id privacy.SubjectID, erased *Erased, entry string, at time.Time) {
	content, _ := json.Marshal(erased) // numbers: it always encodes
	w.queue(`UPDATE erasure SET step = 'deleted', erased = $2, deleted_at = $3, entries = entries || $4::text WHERE subject_id = $1 AND step = 'punctured'`, [16]byte(id), content, at, entry)
}

// Certify ends an erasure with its certificate.
func (t *Tx) Certify(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID, certificate string, at time.Time) error {
	tag, err := t.tx.Exec(ctx, `UPDATE erasure SET step = 'certified', certificate = $3, certified_at = $4 WHERE subject_id = $1 AND request_id = $2 AND step = 'told'`, [16]byte(id), [16]byte(request), certificate, at)
	if err == nil && tag.RowsAffected() != 1 {
		return privacy.Conflict("erasure_moved_on", "the erasure has moved on meanwhile")
	}
	return wrap(err, "certify an erasure")
}

// Certificate reads the certificate of an erasure; "" when there is none yet.
func (s *Store) Certificate(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID) (certificate string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(certificate, '') FROM erasure WHERE subject_id = $1 AND request_id = $2`, [16]byte(id), [16]byte(request)).Scan(&certificate)
	if isNoRows(err) {
		return "", nil
	}
	return certificate, wrap(err, "read a certificate")
}

// StepErasure moves one erasure on.
func (w *Writes) StepErasure(id privacy.SubjectID, request privacy.RightsRequestID, from, to ErasureStep) {
	w.queue(`UPDATE erasure SET step = $4 WHERE subject_id = $1 AND request_id = $2 AND step = $3`, [16]byte(id), [16]byte(request), from, to)
}

// AwaitProcessors notes that a request waits for those who were told.
func (w *Writes) AwaitProcessors(id privacy.SubjectID, request privacy.RightsRequestID, at time.Time) {
	w.queue(`UPDATE rights_request SET state = 'awaiting_processors', version = version + 1, updated_at = $3 WHERE subject_id = $1 AND request_id = $2 AND state = 'in_progress'`,
		[16]byte(id), [16]byte(request), at)
}
