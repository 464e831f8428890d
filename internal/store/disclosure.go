package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// Exists reports whether there is such a subject.
func (s *Snapshot) Exists() bool { return s.Subject.Version > 0 }

// ReadForDisclosure reads, in one round trip to the primary, the revision in force and a snapshot of
// every subject, in the order in which they are named; of one who does not exist it is the zero Snapshot.
// Values whose time has run out at the given moment are left out, whether or not a job has deleted them yet.
func (s *Store) ReadForDisclosure(ctx context.Context, purpose privacy.PurposeName, attributes []privacy.AttributeID, subjects []privacy.SubjectID, now time.Time) (privacy.RevisionID, []Snapshot, error) {
	rows, err := s.pool.Query(ctx, selectSnapshots, string(purpose), attributeArray(attributes), subjectArray(subjects), now)
	if err != nil {
		return "", nil, wrap(err, "read for a disclosure")
	}
	reader := newSnapshotReader(subjects, len(attributes))
	if err := reader.readAll(rows); err != nil {
		return "", nil, wrap(err, "read for a disclosure")
	}
	revision, err := s.publication(ctx, reader.publication)
	return revision, reader.snapshots, err
}

// The subject, their consent and their values share a shard and are read by one statement, so no half of somebody's
// change can be seen. A value is a row of its own, which costs the server less than gathering them by subject.
const selectSnapshots = `
	SELECT s.subject_id, NULL::integer AS attribute_id, s.version, CASE WHEN s.erased_at IS NULL THEN s.state END AS sealed, s.key_slot, ` + selectStanding + `,
		c.status, c.explicit, c.separate_for, c.given_by, c.occurred_at, c.expires_at, c.notice_version,
		s.orders, (SELECT max(number) FROM publication)
	FROM subject s
	LEFT JOIN consent_state c ON c.subject_id = s.subject_id AND c.purpose = $1
	WHERE s.subject_id = ANY($3)
	UNION ALL
	SELECT subject_id, attribute_id, version, sealed, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	FROM attribute_value
	WHERE subject_id = ANY($3) AND attribute_id = ANY($2) AND sealed IS NOT NULL AND (expires_at IS NULL OR expires_at > $4)`

// The columns of selectSnapshots.
const (
	colSubject = iota
	colAttribute
	colVersion
	colSealed
	colSlot
	colStanding
	colStatus
	colExplicit
	colScopes
	colGivenBy
	colOccurred
	colExpires
	colNotice
	colOrders
	colPublication
)

// snapshotReader puts the rows of selectSnapshots together.
type snapshotReader struct {
	snapshots   []Snapshot
	publication int64 // the latest; 0 when there was no row to tell it

	subjects []privacy.SubjectID
	place    map[privacy.SubjectID]int // of each in snapshots; nil while looking at the latest one is enough
	latest   int
	values   int // of one subject, at most
	bytes    byteArena
	scopes   scopeSets
}

func newSnapshotReader(subjects []privacy.SubjectID, attributes int) *snapshotReader {
	r := &snapshotReader{snapshots: make([]Snapshot, len(subjects)), subjects: subjects, values: attributes, scopes: make(scopeSets)}
	if len(subjects) > 1 {
		r.place = make(map[privacy.SubjectID]int, len(subjects))
		for i, id := range subjects {
			r.place[id] = i
		}
	}
	return r
}

func (r *snapshotReader) readAll(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		if err := r.read(rows, rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *snapshotReader) read(rows pgx.Rows, row [][]byte) error {
	snapshot := r.find(privacy.SubjectID(row[colSubject]))
	version := uint32(rawInt64(row[colVersion])) //nolint:gosec // bounded by a check constraint
	if attribute := row[colAttribute]; attribute != nil {
		if snapshot.Values == nil {
			snapshot.Values = make([]SealedValue, 0, r.values)
		}
		snapshot.Values = append(snapshot.Values, SealedValue{privacy.AttributeID(rawInt32(attribute)), version, r.bytes.keep(row[colSealed])}) //nolint:gosec // bounded by a check constraint
		return nil
	}
	snapshot.Subject = Subject{ID: privacy.SubjectID(row[colSubject]), Slot: privacy.KeySlot(rawInt64(row[colSlot])), Version: version, State: r.bytes.keep(row[colSealed]), Erased: row[colSealed] == nil, Orders: rawInt32(row[colOrders])}
	if number := row[colPublication]; number != nil {
		r.publication = rawInt64(number)
	}
	var err error
	if snapshot.Subject.Standing, err = readStanding(row[colStanding]); err != nil {
		return err
	}
	return readConsent(rows, row, r.scopes, &snapshot.Consent)
}

// find gives the snapshot of a subject who was asked for; nobody else is in the rows.
func (r *snapshotReader) find(id privacy.SubjectID) *Snapshot {
	if r.place != nil && r.subjects[r.latest] != id {
		r.latest = r.place[id]
	}
	return &r.snapshots[r.latest]
}

func readConsent(rows pgx.Rows, row [][]byte, scopes scopeSets, consent *ConsentState) (err error) {
	consent.Status = privacy.ConsentNone
	if row[colStatus] == nil {
		return nil
	}
	consent.Status, consent.By = knownWord(row[colStatus], privacy.ConsentGranted, privacy.ConsentWithdrawn, privacy.ConsentDenied), knownWord(row[colGivenBy], privacy.BySelf, privacy.ByGuardian)
	consent.Explicit, consent.OccurredAt, consent.Notice.Version = rawBool(row[colExplicit]), rawTime(row[colOccurred]), rawInt32(row[colNotice])
	if expires := row[colExpires]; expires != nil {
		consent.ExpiresAt = rawTime(expires)
	}
	consent.SeparateFor, err = scopes.read(rows, row[colScopes])
	return err
}

// scopeSets reads what consents were given for separately. There are few such sets, each read once and shared by all who have it.
type scopeSets map[string][]privacy.ConsentScope

func (s scopeSets) read(rows pgx.Rows, field []byte) ([]privacy.ConsentScope, error) {
	if dimensions := rawInt32(field); dimensions == 0 {
		return nil, nil
	}
	if scopes, known := s[string(field)]; known {
		return scopes, nil
	}
	var scopes []privacy.ConsentScope
	if err := rows.Conn().TypeMap().Scan(pgtype.TextArrayOID, pgtype.BinaryFormatCode, field, &scopes); err != nil {
		return nil, err
	}
	s[string(field)] = scopes
	return scopes, nil
}
