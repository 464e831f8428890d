package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Snapshot is what one decision about one subject is taken on, all of it as it stood at one
// moment: the sealed state, the consent for the asked purpose, and the sealed values.
type Snapshot struct {
	Subject Subject
	Consent ConsentState // Status is ConsentNone when nothing was ever recorded
	Values  []SealedValue
}

// SealedValue is a value as it lies in the database.
type SealedValue struct {
	Attribute privacy.AttributeID
	Version   uint32
	Sealed    []byte
}

// Value finds the sealed value of an attribute.
func (s *Snapshot) Value(attribute privacy.AttributeID) (SealedValue, bool) {
	for _, v := range s.Values {
		if v.Attribute == attribute {
			return v, true
		}
	}
	return SealedValue{}, false
}

// ReadForDisclosure reads, in one round trip to the primary, the revision in force and a snapshot of
// every subject that exists. Values whose time has run out at the given moment are left out, whether or not a
// job has deleted them yet. Subjects that do not exist are absent from the result.
func (s *Store) ReadForDisclosure(ctx context.Context, purpose privacy.PurposeName, attributes []privacy.AttributeID, subjects []privacy.SubjectID, now time.Time) (privacy.RevisionID, []Snapshot, error) {
	ids := make([][16]byte, len(subjects))
	for i, id := range subjects {
		ids[i] = id
	}
	rows, err := s.pool.Query(ctx, selectSnapshots, purpose, attributeNumbers(attributes), ids, now)
	if err != nil {
		return "", nil, wrap(err, "read for a disclosure")
	}
	number, snapshots, err := collectSnapshots(rows, len(subjects))
	if err != nil {
		return "", nil, wrap(err, "read for a disclosure")
	}
	revision, err := s.publication(ctx, number)
	return revision, snapshots, err
}

// The subject, their consent and their values share a shard and are read by one statement,
// so no half of somebody's change can be seen.
const selectSnapshots = `
	SELECT s.subject_id, s.key_slot, s.version, s.state, ` + selectStanding + `,
		c.status, c.explicit, c.separate_for, c.given_by, c.occurred_at, c.expires_at, c.notice_version,
		v.attributes, v.versions, v.sealed,
		(SELECT max(number) FROM publication)
	FROM subject s
	LEFT JOIN consent_state c ON c.subject_id = s.subject_id AND c.purpose = $1
	LEFT JOIN LATERAL (
		SELECT array_agg(a.attribute_id) AS attributes, array_agg(a.version) AS versions, array_agg(a.sealed) AS sealed
		FROM attribute_value a
		WHERE a.subject_id = s.subject_id AND a.attribute_id = ANY($2) AND a.sealed IS NOT NULL AND (a.expires_at IS NULL OR a.expires_at > $4)
	) v ON true
	WHERE s.subject_id = ANY($3)`

func collectSnapshots(rows pgx.Rows, expected int) (number int64, snapshots []Snapshot, err error) {
	defer rows.Close()
	snapshots = make([]Snapshot, 0, expected)
	for rows.Next() {
		snapshots = append(snapshots, Snapshot{})
		if number, err = scanSnapshot(rows, &snapshots[len(snapshots)-1]); err != nil {
			return 0, nil, err
		}
	}
	return number, snapshots, rows.Err()
}

func scanSnapshot(rows pgx.Rows, snapshot *Snapshot) (number int64, err error) {
	var (
		version    int64
		status, by *string
		explicit   *bool
		scopes     []privacy.ConsentScope
		standing   []byte
		occurred   *time.Time
		expires    *time.Time
		notice     *int32
		attributes []int32
		versions   []int64
		sealed     [][]byte
		published  *int64
	)
	err = rows.Scan((*[16]byte)(&snapshot.Subject.ID), &snapshot.Subject.Slot, &version, &snapshot.Subject.State, &standing,
		&status, &explicit, &scopes, &by, &occurred, &expires, &notice, &attributes, &versions, &sealed, &published)
	if err != nil {
		return 0, err
	}
	if published != nil {
		number = *published
	}
	snapshot.Subject.Version = uint32(version) //nolint:gosec // bounded by a check constraint
	snapshot.Consent = ConsentState{Status: privacy.ConsentNone}
	if status != nil {
		snapshot.Consent = ConsentState{Status: privacy.ConsentStatus(*status), Explicit: *explicit, SeparateFor: scopes,
			By: privacy.ConsentBy(*by), OccurredAt: *occurred, ExpiresAt: timeOrZero(expires), Notice: NoticeRef{Version: *notice}}
	}
	if snapshot.Subject.Standing, err = readStanding(standing); err != nil {
		return 0, err
	}
	snapshot.Values = make([]SealedValue, len(attributes))
	for i := range attributes {
		snapshot.Values[i] = SealedValue{privacy.AttributeID(attributes[i]), uint32(versions[i]), sealed[i]} //nolint:gosec // bounded by check constraints
	}
	return number, nil
}
