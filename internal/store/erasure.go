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
}

// Erased says what was deleted, by the numbers of the catalogue.
type Erased struct {
	Attributes  []privacy.AttributeID `json:"attributes,omitempty"`
	Identifiers []privacy.AttributeID `json:"identifiers,omitempty"` // their types
	Evidence    int                   `json:"evidence,omitempty"`
	Signals     int                   `json:"signals,omitempty"`
	Details     int                   `json:"details,omitempty"` // of requests
}

const erasureColumns = `subject_id, request_id, step, key_slot, tombstone, hashes, marked_at, coalesce(page_version, 0), punctured_at, deleted_at, erased, entries`

func scanErasure(row pgx.CollectableRow) (Erasure, error) {
	var e Erasure
	var hashes, erased []byte
	var punctured, deleted *time.Time
	err := row.Scan((*[16]byte)(&e.Subject), (*[16]byte)(&e.Request), &e.Step, &e.Slot, &e.Tombstone, &hashes, &e.MarkedAt, &e.PageVersion, &punctured, &deleted, &erased, &e.Entries)
	if err != nil {
		return e, err
	}
	e.MarkedAt, e.PuncturedAt, e.DeletedAt = e.MarkedAt.UTC(), timeOrZero(punctured), timeOrZero(deleted)
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

// Certificate reads the certificate of an erasure, of everything or of a part; "" when there is none yet.
func (s *Store) Certificate(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID) (certificate string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT certificate FROM erasure WHERE subject_id = $1 AND request_id = $2 AND certificate IS NOT NULL
		UNION ALL SELECT certificate FROM part_certificate WHERE subject_id = $1 AND request_id = $2`, [16]byte(id), [16]byte(request)).Scan(&certificate)
	if isNoRows(err) {
		return "", nil
	}
	return certificate, wrap(err, "read a certificate")
}
