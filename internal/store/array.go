package store

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/consentry/consentry/internal/privacy"
)

// Lists of ids go to the server as they are. Left to itself, pgx would find out by reflection what each
// item is, in more time than the server needs for it.

// subjectArray is an argument of type uuid[]; the zero id stands for NULL.
type subjectArray []privacy.SubjectID

// Dimensions implements pgtype.ArrayGetter.
func (a subjectArray) Dimensions() []pgtype.ArrayDimension { return oneDimension(len(a)) }

// Index implements pgtype.ArrayGetter.
func (a subjectArray) Index(i int) any { return (*subjectItem)(&a[i]) }

// IndexType implements pgtype.ArrayGetter.
func (a subjectArray) IndexType() any { return (*subjectItem)(nil) }

type subjectItem privacy.SubjectID

// UUIDValue implements pgtype.UUIDValuer.
func (s *subjectItem) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: *s, Valid: *s != subjectItem{}}, nil
}

// attributeArray is an argument of type integer[].
type attributeArray []privacy.AttributeID

// Dimensions implements pgtype.ArrayGetter.
func (a attributeArray) Dimensions() []pgtype.ArrayDimension { return oneDimension(len(a)) }

// Index implements pgtype.ArrayGetter.
func (a attributeArray) Index(i int) any { return (*attributeItem)(&a[i]) }

// IndexType implements pgtype.ArrayGetter.
func (a attributeArray) IndexType() any { return (*attributeItem)(nil) }

type attributeItem privacy.AttributeID

// Int64Value implements pgtype.Int64Valuer.
func (a *attributeItem) Int64Value() (pgtype.Int8, error) {
	return pgtype.Int8{Int64: int64(*a), Valid: true}, nil
}

func oneDimension(length int) []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(length), LowerBound: 1}} //nolint:gosec // bounded by the callers
}

// uuids is a list of ids as pgx knows them, for statements that are not in a hurry.
func uuids[T ~[16]byte](ids []T) [][16]byte {
	list := make([][16]byte, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}
