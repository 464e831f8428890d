package store

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Subject is the row of one person: the key slot, and the sealed policy state whose seal
// carries Version.
type Subject struct {
	ID      privacy.SubjectID
	Slot    privacy.KeySlot
	Version uint32
	State   []byte
}

// BlindIndex is how an identifier is found: a keyed hash.
type BlindIndex [16]byte

// IdentifierKey names an identifier: the catalogue number of its type and its blind index.
type IdentifierKey struct {
	Type  privacy.AttributeID
	Index BlindIndex
}

// Identifier is a sealed identifier of a subject.
type Identifier struct {
	Key      IdentifierKey
	Sealed   []byte
	Verified bool
	Source   string
}

// Value is one sealed field of a subject.
type Value struct {
	Attribute   privacy.AttributeID
	Version     uint32
	Sealed      []byte
	Source      string
	CollectedAt time.Time
	ExpiresAt   time.Time // zero: kept until erased
}

// NextSlots draws n fresh key slots. A slot is never given out twice.
func (s *Store) NextSlots(ctx context.Context, n int) ([]privacy.KeySlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT nextval('subject_key_slot') FROM generate_series(1, $1::integer)`, n)
	if err != nil {
		return nil, wrap(err, "draw key slots")
	}
	slots, err := pgx.CollectRows(rows, pgx.RowTo[privacy.KeySlot])
	return slots, wrap(err, "draw key slots")
}

// FindSubjects looks identifiers up. Those that find nobody are absent from the result.
func (s *Store) FindSubjects(ctx context.Context, keys []IdentifierKey) (map[IdentifierKey]privacy.SubjectID, error) {
	return findSubjects(ctx, s.pool, keys)
}

// IdentifierOwners looks identifiers up inside a transaction.
func (t *Tx) IdentifierOwners(ctx context.Context, keys []IdentifierKey) (map[IdentifierKey]privacy.SubjectID, error) {
	return findSubjects(ctx, t.tx, keys)
}

func findSubjects(ctx context.Context, q querier, keys []IdentifierKey) (map[IdentifierKey]privacy.SubjectID, error) {
	types, indexes := splitKeys(keys)
	rows, err := q.Query(ctx, `
		SELECT type, blind_index, subject_id FROM identifier
		WHERE (type, blind_index) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, indexes)
	if err != nil {
		return nil, wrap(err, "look identifiers up")
	}
	return collectFound(rows)
}

func collectFound(rows pgx.Rows) (map[IdentifierKey]privacy.SubjectID, error) {
	found := make(map[IdentifierKey]privacy.SubjectID)
	var kind int16
	var index []byte
	var id privacy.SubjectID
	_, err := pgx.ForEachRow(rows, []any{&kind, &index, (*[16]byte)(&id)}, func() error {
		found[IdentifierKey{privacy.AttributeID(kind), BlindIndex(index)}] = id //nolint:gosec // the catalogue numbers types from 1
		return nil
	})
	return found, wrap(err, "look identifiers up")
}

func splitKeys(keys []IdentifierKey) (types []int16, indexes [][]byte) {
	types, indexes = make([]int16, len(keys)), make([][]byte, len(keys))
	for i := range keys {
		types[i] = int16(keys[i].Type) //nolint:gosec // the catalogue numbers types from 1
		indexes[i] = keys[i].Index[:]
	}
	return types, indexes
}

// LockSubject reads a subject and holds it until the transaction ends, so that writes to
// one subject follow each other. KindNotFound when there is none.
func (t *Tx) LockSubject(ctx context.Context, id privacy.SubjectID) (Subject, error) {
	subject := Subject{ID: id}
	var version int64
	err := t.tx.QueryRow(ctx, `SELECT key_slot, version, state FROM subject WHERE subject_id = $1 FOR UPDATE`, [16]byte(id)).
		Scan(&subject.Slot, &version, &subject.State)
	if isNoRows(err) {
		return subject, privacy.NotFound("subject_not_found", "there is no such subject")
	}
	subject.Version = uint32(version) //nolint:gosec // bounded by a check constraint
	return subject, wrap(err, "lock a subject")
}

// UpdateSubject writes a subject's new state under its next version.
func (t *Tx) UpdateSubject(ctx context.Context, subject Subject, at time.Time) error {
	tag, err := t.tx.Exec(ctx, `UPDATE subject SET version = $2, state = $3, updated_at = $4 WHERE subject_id = $1 AND version = $2 - 1`,
		[16]byte(subject.ID), int64(subject.Version), subject.State, at)
	if err == nil && tag.RowsAffected() != 1 {
		return privacy.Conflict("version_conflict", "the subject has changed meanwhile; read it again")
	}
	return wrap(err, "update a subject")
}

// NewSubject is a subject to be created with everything known about it.
type NewSubject struct {
	Subject     Subject
	Identifiers []Identifier
	Values      []Value
}

// ClaimIdentifiers binds identifiers to subjects and reports those that somebody else had
// already. The caller decides what a lost claim means; nothing is overwritten.
func (t *Tx) ClaimIdentifiers(ctx context.Context, claims map[IdentifierKey]privacy.SubjectID) (lost map[IdentifierKey]bool, err error) {
	keys := sortedKeys(claims)
	types, indexes := splitKeys(keys)
	ids := make([][16]byte, len(keys))
	for i, key := range keys {
		ids[i] = claims[key]
	}
	rows, err := t.tx.Query(ctx, `
		INSERT INTO identifier (type, blind_index, subject_id)
		SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::uuid[])
		ON CONFLICT DO NOTHING
		RETURNING type, blind_index, subject_id`, types, indexes, ids)
	if err != nil {
		return nil, wrap(err, "claim identifiers")
	}
	won, err := collectFound(rows)
	if err != nil {
		return nil, err
	}
	lost = make(map[IdentifierKey]bool)
	for _, key := range keys {
		if _, ok := won[key]; !ok {
			lost[key] = true
		}
	}
	return lost, nil
}

// InsertSubjects writes new subjects with their identifiers' sealed forms and values, by COPY.
func (t *Tx) InsertSubjects(ctx context.Context, subjects []NewSubject, at time.Time) error {
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"subject"},
		[]string{"subject_id", "key_slot", "version", "state", "created_at", "updated_at"},
		pgx.CopyFromSlice(len(subjects), func(i int) ([]any, error) {
			s := &subjects[i].Subject
			return []any{[16]byte(s.ID), int64(s.Slot), int64(s.Version), s.State, at, at}, nil
		}))
	if err != nil {
		return wrap(err, "insert subjects")
	}
	if err := t.copyIdentifiers(ctx, subjects, at); err != nil {
		return err
	}
	return t.copyValues(ctx, subjects, at)
}

func (t *Tx) copyIdentifiers(ctx context.Context, subjects []NewSubject, at time.Time) error {
	type row struct {
		subject    privacy.SubjectID
		identifier *Identifier
	}
	var flat []row
	for i := range subjects {
		for j := range subjects[i].Identifiers {
			flat = append(flat, row{subjects[i].Subject.ID, &subjects[i].Identifiers[j]})
		}
	}
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"subject_identifier"},
		[]string{"subject_id", "type", "blind_index", "sealed", "verified", "source", "created_at"},
		pgx.CopyFromSlice(len(flat), func(i int) ([]any, error) {
			d := flat[i].identifier
			return []any{[16]byte(flat[i].subject), int16(d.Key.Type), d.Key.Index[:], d.Sealed, d.Verified, d.Source, at}, nil //nolint:gosec // small numbers
		}))
	return wrap(err, "insert identifiers")
}

func (t *Tx) copyValues(ctx context.Context, subjects []NewSubject, at time.Time) error {
	type row struct {
		subject privacy.SubjectID
		value   *Value
	}
	var flat []row
	for i := range subjects {
		for j := range subjects[i].Values {
			flat = append(flat, row{subjects[i].Subject.ID, &subjects[i].Values[j]})
		}
	}
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"attribute_value"},
		[]string{"subject_id", "attribute_id", "version", "sealed", "source", "collected_at", "expires_at", "updated_at"},
		pgx.CopyFromSlice(len(flat), func(i int) ([]any, error) {
			v := flat[i].value
			return []any{[16]byte(flat[i].subject), int32(v.Attribute), int64(v.Version), v.Sealed, v.Source, v.CollectedAt, nullTime(v.ExpiresAt), at}, nil
		}))
	return wrap(err, "insert attribute values")
}

// AddIdentifiers writes the sealed forms of identifiers newly bound to a subject.
func (t *Tx) AddIdentifiers(ctx context.Context, id privacy.SubjectID, identifiers []Identifier, at time.Time) error {
	return t.copyIdentifiers(ctx, []NewSubject{{Subject: Subject{ID: id}, Identifiers: identifiers}}, at)
}

// StoredValues reads the values of a subject that is locked, those of the attributes only.
func (t *Tx) StoredValues(ctx context.Context, id privacy.SubjectID, attributes []privacy.AttributeID) (map[privacy.AttributeID]Value, error) {
	rows, err := t.tx.Query(ctx, `SELECT attribute_id, version, sealed, collected_at FROM attribute_value WHERE subject_id = $1 AND attribute_id = ANY($2)`,
		[16]byte(id), attributeNumbers(attributes))
	if err != nil {
		return nil, wrap(err, "read attribute values")
	}
	values := make(map[privacy.AttributeID]Value)
	var attribute int32
	var version int64
	var sealed []byte
	var collected time.Time
	_, err = pgx.ForEachRow(rows, []any{&attribute, &version, &sealed, &collected}, func() error {
		number := privacy.AttributeID(attribute)                                                                    //nolint:gosec // bounded by a check constraint
		values[number] = Value{Attribute: number, Version: uint32(version), Sealed: sealed, CollectedAt: collected} //nolint:gosec // bounded by a check constraint
		sealed = nil
		return nil
	})
	return values, wrap(err, "read attribute values")
}

// PutValues writes values of a locked subject, each over whatever was there.
func (t *Tx) PutValues(ctx context.Context, id privacy.SubjectID, values []Value, at time.Time) error {
	batch := &pgx.Batch{}
	for _, v := range values {
		batch.Queue(`
			INSERT INTO attribute_value (subject_id, attribute_id, version, sealed, source, collected_at, expires_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (subject_id, attribute_id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed,
				source = excluded.source, collected_at = excluded.collected_at, expires_at = excluded.expires_at, updated_at = excluded.updated_at`,
			[16]byte(id), int32(v.Attribute), int64(v.Version), v.Sealed, v.Source, v.CollectedAt, nullTime(v.ExpiresAt), at)
	}
	return wrap(t.tx.SendBatch(ctx, batch).Close(), "write attribute values")
}

// DeleteValues removes values of a locked subject.
func (t *Tx) DeleteValues(ctx context.Context, id privacy.SubjectID, attributes []privacy.AttributeID) error {
	_, err := t.tx.Exec(ctx, `DELETE FROM attribute_value WHERE subject_id = $1 AND attribute_id = ANY($2)`, [16]byte(id), attributeNumbers(attributes))
	return wrap(err, "delete attribute values")
}

// sortedKeys puts claims in one order, so that two transactions that claim the same
// identifiers wait for each other instead of deadlocking.
func sortedKeys(claims map[IdentifierKey]privacy.SubjectID) []IdentifierKey {
	return slices.SortedFunc(maps.Keys(claims), func(a, b IdentifierKey) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), bytes.Compare(a.Index[:], b.Index[:]))
	})
}

func attributeNumbers(attributes []privacy.AttributeID) []int32 {
	numbers := make([]int32, len(attributes))
	for i, a := range attributes {
		numbers[i] = int32(a)
	}
	return numbers
}

func nullTime(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
