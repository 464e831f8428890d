package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Value is one field of a subject. Sealed is nil of a field that was deleted.
type Value struct {
	Attribute   privacy.AttributeID
	Version     uint32
	Sealed      []byte
	Source      string
	CollectedAt time.Time
	ExpiresAt   time.Time // zero: kept until erased
}

// StoredValues tells, of the attributes, which version of each a locked subject has and when it was collected; that of a deleted value
// too. The sealed values are read as well while there is an export, which is to go when one of them does.
func (t *Tx) StoredValues(ctx context.Context, id privacy.SubjectID, attributes []privacy.AttributeID) (map[privacy.AttributeID]Value, error) {
	rows, err := t.tx.Query(ctx, `SELECT attribute_id, version, collected_at, CASE WHEN EXISTS (SELECT FROM export e WHERE e.subject_id = $1) THEN sealed END
		FROM attribute_value WHERE subject_id = $1 AND attribute_id = ANY($2)`,
		[16]byte(id), attributeNumbers(attributes))
	if err != nil {
		return nil, wrap(err, "read attribute values")
	}
	values := make(map[privacy.AttributeID]Value)
	var attribute int32
	var version int64
	var collected time.Time
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&attribute, &version, &collected, &sealed}, func() error {
		number := privacy.AttributeID(attribute)                                                                    //nolint:gosec // bounded by a check constraint
		values[number] = Value{Attribute: number, Version: uint32(version), CollectedAt: collected, Sealed: sealed} //nolint:gosec // bounded by a check constraint
		return nil
	})
	return values, wrap(err, "read attribute values")
}

// PutValues writes values of a locked subject, each over whatever was there; one without content
// deletes what was there.
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

func attributeNumbers(attributes []privacy.AttributeID) []int32 {
	numbers := make([]int32, len(attributes))
	for i, a := range attributes {
		numbers[i] = int32(a)
	}
	return numbers
}
