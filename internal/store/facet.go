package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Facets are what segments see of a subject, sealed in one piece. The seal carries Version; Sealed is nil while they were never
// worked out.
type Facets struct {
	Version uint32
	Sealed  []byte
}

// HeldValue is a sealed value and until when it is kept.
type HeldValue struct {
	SealedValue
	ExpiresAt time.Time // zero: until erased
}

// HeldValues reads the sealed values that a locked subject holds of some attributes, and the version of their facets.
func (t *Tx) HeldValues(ctx context.Context, id privacy.SubjectID, attributes []privacy.AttributeID) (values []HeldValue, facets uint32, err error) {
	var version int64
	if err := t.tx.QueryRow(ctx, `SELECT facets_version FROM subject WHERE subject_id = $1`, [16]byte(id)).Scan(&version); err != nil {
		return nil, 0, wrap(err, "read the version of facets")
	}
	rows, err := t.tx.Query(ctx, `SELECT attribute_id, version, sealed, expires_at FROM attribute_value WHERE subject_id = $1 AND attribute_id = ANY($2) AND sealed IS NOT NULL`,
		[16]byte(id), attributeNumbers(attributes))
	if err != nil {
		return nil, 0, wrap(err, "read held values")
	}
	values, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (HeldValue, error) {
		var v HeldValue
		var attribute int32
		var version int64
		var expires *time.Time
		err := row.Scan(&attribute, &version, &v.Sealed, &expires)
		v.Attribute, v.Version, v.ExpiresAt = privacy.AttributeID(attribute), uint32(version), timeOrZero(expires) //nolint:gosec // bounded by check constraints
		return v, err
	})
	return values, uint32(version), wrap(err, "read held values") //nolint:gosec // bounded by a check constraint
}

// PutFacets replaces the facets of a locked subject.
func (t *Tx) PutFacets(ctx context.Context, id privacy.SubjectID, facets Facets) error {
	_, err := t.tx.Exec(ctx, `UPDATE subject SET facets = $2, facets_version = $3 WHERE subject_id = $1`, [16]byte(id), facets.Sealed, int64(facets.Version))
	return wrap(err, "write facets")
}
