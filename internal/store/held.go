package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// HeldSubject is the row of a subject, with what segments see of them.
type HeldSubject struct {
	Subject
	Facets Facets
}

// HeldSubject reads a subject as they are now. KindNotFound when there is none, or when they are erased.
func (s *Store) HeldSubject(ctx context.Context, id privacy.SubjectID) (held HeldSubject, err error) {
	held.ID = id
	var version, facets int64
	var standing []byte
	err = s.pool.QueryRow(ctx, `SELECT key_slot, version, state, `+selectStanding+`, erased_at IS NOT NULL, facets, facets_version FROM subject s WHERE subject_id = $1`, [16]byte(id)).
		Scan(&held.Slot, &version, &held.State, &standing, &held.Erased, &held.Facets.Sealed, &facets)
	if isNoRows(err) {
		return held, ErrNoSubject
	}
	if err != nil {
		return held, wrap(err, "read a subject")
	}
	if held.Erased {
		return held, ErrErased
	}
	held.Version, held.Facets.Version = uint32(version), uint32(facets) //nolint:gosec // bounded by check constraints
	held.Standing, err = readStanding(standing)
	return held, err
}

// HeldFields reads all values of a subject whose time has not run out, sealed, with where they came from.
func (s *Store) HeldFields(ctx context.Context, id privacy.SubjectID, now time.Time) ([]Value, error) {
	rows, err := s.pool.Query(ctx, `SELECT attribute_id, version, sealed, source, collected_at, expires_at FROM attribute_value
		WHERE subject_id = $1 AND sealed IS NOT NULL AND (expires_at IS NULL OR expires_at > $2) ORDER BY attribute_id`, [16]byte(id), now)
	if err != nil {
		return nil, wrap(err, "read attribute values")
	}
	values, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Value, err error) {
		var attribute int32
		var version int64
		var expires *time.Time
		err = row.Scan(&attribute, &version, &v.Sealed, &v.Source, &v.CollectedAt, &expires)
		v.Attribute, v.Version, v.ExpiresAt = privacy.AttributeID(attribute), uint32(version), timeOrZero(expires) //nolint:gosec // bounded by check constraints
		return v, err
	})
	return values, wrap(err, "read attribute values")
}

// HeldIdentifier is an identifier beside its subject, and since when it is there.
type HeldIdentifier struct {
	Identifier
	AddedAt time.Time
}

// HeldIdentifiers reads the identifiers of a subject, sealed.
func (s *Store) HeldIdentifiers(ctx context.Context, id privacy.SubjectID) ([]HeldIdentifier, error) {
	rows, err := s.pool.Query(ctx, `SELECT type, blind_index, sealed, verified, source, created_at FROM subject_identifier WHERE subject_id = $1 AND sealed <> '' ORDER BY type, created_at, blind_index`, [16]byte(id))
	if err != nil {
		return nil, wrap(err, "read identifiers")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h HeldIdentifier, err error) {
		var kind int16
		var index []byte
		if err := row.Scan(&kind, &index, &h.Sealed, &h.Verified, &h.Source, &h.AddedAt); err != nil {
			return h, err
		}
		h.Key = IdentifierKey{privacy.AttributeID(kind), BlindIndex(index)} //nolint:gosec // the catalogue numbers types from 1
		return h, nil
	})
	return list, wrap(err, "read identifiers")
}

// NoticesShown lists the versions of notices that records of a subject up to a number refer to.
func (s *Store) NoticesShown(ctx context.Context, id privacy.SubjectID, to int32) ([]NoticeRef, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT notice_id, notice_version FROM consent_record WHERE subject_id = $1 AND seq <= $2 AND notice_id <> '' ORDER BY 1, 2`, [16]byte(id), to)
	if err != nil {
		return nil, wrap(err, "read notices")
	}
	refs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ref NoticeRef, err error) {
		return ref, row.Scan(&ref.ID, &ref.Version)
	})
	return refs, wrap(err, "read notices")
}
