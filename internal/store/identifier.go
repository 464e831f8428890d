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

// sortedKeys puts claims in one order, so that two transactions that claim the same
// identifiers wait for each other instead of deadlocking.
func sortedKeys(claims map[IdentifierKey]privacy.SubjectID) []IdentifierKey {
	return slices.SortedFunc(maps.Keys(claims), func(a, b IdentifierKey) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), bytes.Compare(a.Index[:], b.Index[:]))
	})
}

// AddIdentifiers writes the sealed forms of identifiers newly bound to a subject.
func (t *Tx) AddIdentifiers(ctx context.Context, id privacy.SubjectID, identifiers []Identifier, at time.Time) error {
	return t.copyIdentifiers(ctx, []NewSubject{{Subject: Subject{ID: id}, Identifiers: identifiers}}, at)
}

// VerifyIdentifiers notes that identifiers of a locked subject are verified. One that was verified stays so.
func (t *Tx) VerifyIdentifiers(ctx context.Context, id privacy.SubjectID, keys []IdentifierKey) error {
	if len(keys) == 0 {
		return nil
	}
	types, indexes := splitKeys(keys)
	_, err := t.tx.Exec(ctx, `
		UPDATE subject_identifier SET verified = true
		WHERE subject_id = $1 AND NOT verified AND (type, blind_index) IN (SELECT * FROM unnest($2::smallint[], $3::bytea[]))`, [16]byte(id), types, indexes)
	return wrap(err, "verify identifiers")
}

func (t *Tx) copyIdentifiers(ctx context.Context, subjects []NewSubject, at time.Time) error {
	type row struct {
		subject    privacy.SubjectID
		identifier *Identifier
	}
	var flat []row
	for _, s := range subjects {
		for j := range s.Identifiers {
			flat = append(flat, row{s.Subject.ID, &s.Identifiers[j]})
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
