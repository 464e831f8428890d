package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// SegmentID names a segment: a UUIDv7.
type SegmentID [16]byte

// String gives the canonical form.
func (id SegmentID) String() string { return privacy.SubjectID(id).String() }

// orNull gives NULL for the zero id.
func (id SegmentID) orNull() *[16]byte {
	if id == (SegmentID{}) {
		return nil
	}
	return (*[16]byte)(&id)
}

// ParseSegmentID reads the canonical form.
func ParseSegmentID(text string) (SegmentID, error) {
	id, err := privacy.ParseSubjectID(text)
	return SegmentID(id), err
}

// Segment is one version of a segment.
type Segment struct {
	ID          SegmentID
	Version     int32
	Name        string
	Description string
	Predicate   []byte // JSON
	By          privacy.ClientID
	At          time.Time
}

// errNoSegment is for whoever names one that is not there.
var errNoSegment = privacy.NotFound("segment_not_found", "there is no such segment")

const segmentColumns = `segment_id, version, name, description, predicate, created_by, created_at`

func scanSegment(row pgx.CollectableRow) (s Segment, err error) {
	err = row.Scan((*[16]byte)(&s.ID), &s.Version, &s.Name, &s.Description, &s.Predicate, &s.By, &s.At)
	s.At = s.At.UTC()
	return s, err
}

// PutSegment adds a version of a segment. KindConflict when there is one of that number already, KindNotFound when there is none that it could follow.
func (t *Tx) PutSegment(ctx context.Context, s Segment) error {
	tag, err := t.tx.Exec(ctx, `INSERT INTO segment (`+segmentColumns+`)
		SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $2 = 1 OR EXISTS (SELECT FROM segment WHERE segment_id = $1 AND version = $2 - 1)
		ON CONFLICT DO NOTHING`, [16]byte(s.ID), s.Version, s.Name, s.Description, s.Predicate, s.By, s.At)
	if err != nil || tag.RowsAffected() == 1 {
		return wrap(err, "write a segment")
	}
	return privacy.Conflict("version_conflict", "the segment has changed meanwhile; read it again")
}

// Segment reads a version of a segment, 0 for the newest. KindNotFound when there is none.
func (s *Store) Segment(ctx context.Context, id SegmentID, version int32) (Segment, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+segmentColumns+` FROM segment WHERE segment_id = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1`, [16]byte(id), version)
	if err != nil {
		return Segment{}, wrap(err, "read a segment")
	}
	segment, err := pgx.CollectExactlyOneRow(rows, scanSegment)
	if isNoRows(err) {
		return Segment{}, errNoSegment
	}
	return segment, wrap(err, "read a segment")
}

// Segments lists the newest version of each segment, those made last in front, before an id; the zero id begins.
func (s *Store) Segments(ctx context.Context, before SegmentID, limit int) ([]Segment, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT ON (segment_id) `+segmentColumns+` FROM segment WHERE $1::uuid IS NULL OR segment_id < $1
		ORDER BY segment_id DESC, version DESC LIMIT $2`, before.orNull(), limit)
	if err != nil {
		return nil, wrap(err, "list segments")
	}
	list, err := pgx.CollectRows(rows, scanSegment)
	return list, wrap(err, "list segments")
}

// Activation is a campaign to the members of a segment.
type Activation struct {
	ID         [16]byte
	Segment    SegmentID
	Version    int32
	Client     privacy.ClientID
	Purpose    privacy.PurposeName
	Attributes []privacy.AttributeName
	Behind     []privacy.AttributeName // the facets of the segment
	At         time.Time
}

// PutActivation keeps an activation.
func (t *Tx) PutActivation(ctx context.Context, a Activation) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO activation (activation_id, segment_id, segment_version, client, purpose, attributes, behind, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.ID, [16]byte(a.Segment), a.Version, a.Client, a.Purpose, a.Attributes, a.Behind, a.At)
	return wrap(err, "write an activation")
}

// Activation reads an activation. KindNotFound when there is none.
func (s *Store) Activation(ctx context.Context, id [16]byte) (a Activation, err error) {
	err = s.pool.QueryRow(ctx, `SELECT activation_id, segment_id, segment_version, client, purpose, attributes, behind, started_at FROM activation WHERE activation_id = $1`, id).
		Scan(&a.ID, (*[16]byte)(&a.Segment), &a.Version, &a.Client, &a.Purpose, &a.Attributes, &a.Behind, &a.At)
	if isNoRows(err) {
		return a, privacy.NotFound("activation_not_found", "there is no such activation")
	}
	return a, wrap(err, "read an activation")
}

// ReleasedUnder lists, in the order of their ids, the subjects of disclosures that name an object and by which all of some attributes and one of others at least
// were permitted, from after one on. An entry is there before anything is sent, so of the last it may be that nothing came through.
func (s *Store) ReleasedUnder(ctx context.Context, object string, all, some []privacy.AttributeName, after privacy.SubjectID, limit int) ([]privacy.SubjectID, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT e.subject_id FROM audit_entry e JOIN decision d ON d.hash = e.decision_hash
		WHERE e.object COLLATE "C" = $1 AND e.action = 'disclosure' AND e.subject_id > $2
			AND convert_from(d.outcome, 'UTF8')::jsonb -> 'permitted' ?& $3 AND convert_from(d.outcome, 'UTF8')::jsonb -> 'permitted' ?| $4
		ORDER BY e.subject_id LIMIT $5`, object, [16]byte(after), all, some, limit)
	if err != nil {
		return nil, wrap(err, "list whom a campaign was sent to")
	}
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id privacy.SubjectID, err error) { return id, row.Scan((*[16]byte)(&id)) })
	return ids, wrap(err, "list whom a campaign was sent to")
}
