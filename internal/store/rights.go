package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// RightsRequest is a request of a subject about their data. It names nobody, and outlives its subject's erasure.
type RightsRequest struct {
	ID             privacy.RightsRequestID
	Subject        privacy.SubjectID
	Type           privacy.RequestType
	Scope          string // what it is about, in the form of its type; "*" for all there is
	State          privacy.RequestState
	Version        int64 // counts the changes
	Lodged         privacy.Lodger
	Identified     privacy.Identification
	Regime         privacy.Regime // whose terms the dates follow
	Revision       privacy.RevisionID
	ReceivedAt     time.Time
	AcknowledgeBy  time.Time // zero: the law does not say
	AcknowledgedAt time.Time
	DueAt          time.Time
	LegalDueOn     time.Time // the day that counts by law: DueAt's, or the next working day
	Extension      string    // why it takes longer; "" when it does not
	ExtendedAt     time.Time
	RemindedAt     time.Time
	Ground         string // of a refusal
	JoinedTo       privacy.RightsRequestID
	Joins          int32 // how often somebody has joined it
	Effected       int32 // for how many of the joins what it asks for is in force, before anybody is told; -1: not yet
	Client         privacy.ClientID
	Actor          privacy.ActorID
	UpdatedAt      time.Time
	ClosedAt       time.Time
}

const rightsColumns = `subject_id, request_id, type, scope, state, version, lodged_by, identified_by, regime, revision_id, received_at, acknowledge_by, acknowledged_at,
	due_at, legal_due_on, extension, extended_at, reminded_at, ground, joined_to, client, actor, updated_at, closed_at, joins, effected`

func (r *RightsRequest) values() []any {
	return []any{[16]byte(r.Subject), [16]byte(r.ID), r.Type, r.Scope, r.State, r.Version, r.Lodged, r.Identified, r.Regime, r.Revision, r.ReceivedAt, nullTime(r.AcknowledgeBy), r.AcknowledgedAt,
		r.DueAt, r.LegalDueOn, r.Extension, nullTime(r.ExtendedAt), nullTime(r.RemindedAt), r.Ground, nullID(r.JoinedTo), r.Client, r.Actor, r.UpdatedAt, nullTime(r.ClosedAt), r.Joins, r.Effected}
}

func scanRightsRequest(row pgx.CollectableRow) (RightsRequest, error) {
	var r RightsRequest
	var acknowledge, extended, reminded, closed *time.Time
	var joined *[16]byte
	err := row.Scan((*[16]byte)(&r.Subject), (*[16]byte)(&r.ID), &r.Type, &r.Scope, &r.State, &r.Version, &r.Lodged, &r.Identified, &r.Regime, &r.Revision, &r.ReceivedAt, &acknowledge, &r.AcknowledgedAt,
		&r.DueAt, &r.LegalDueOn, &r.Extension, &extended, &reminded, &r.Ground, &joined, &r.Client, &r.Actor, &r.UpdatedAt, &closed, &r.Joins, &r.Effected)
	r.AcknowledgeBy, r.ExtendedAt, r.RemindedAt, r.ClosedAt = timeOrZero(acknowledge), timeOrZero(extended), timeOrZero(reminded), timeOrZero(closed)
	if joined != nil {
		r.JoinedTo = *joined
	}
	return r, err
}

// InsertRightsRequest adds a request, version 1.
func (w *Writes) InsertRightsRequest(r *RightsRequest) {
	r.Version, r.Effected = 1, -1
	w.queue(`INSERT INTO rights_request (`+rightsColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`, r.values()...)
}

// TakeUp notes, before anything is done that cannot be taken back, that a request is carried out as it was joined so often. False when it is not in
// progress any more: it was refused, or others have carried it out.
func (t *Tx) TakeUp(ctx context.Context, r *RightsRequest) (taken bool, err error) {
	err = t.tx.QueryRow(ctx, `UPDATE rights_request SET effected = greatest(effected, $3) WHERE subject_id = $1 AND request_id = $2 AND state = 'in_progress' RETURNING TRUE`,
		[16]byte(r.Subject), [16]byte(r.ID), r.Joins).Scan(&taken)
	if isNoRows(err) {
		err = nil
	}
	return taken, wrap(err, "take a request up")
}

// InProgress tells which requests of locked subjects are in progress.
func (t *Tx) InProgress(ctx context.Context, refs []RightsRequestRef) (map[privacy.SubjectID]bool, error) {
	rows, err := t.tx.Query(ctx, `SELECT subject_id FROM rights_request WHERE (subject_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) AND state = 'in_progress'`,
		subjectColumn(refs, func(r *RightsRequestRef) [16]byte { return r.Subject }), column(refs, func(r *RightsRequestRef) [16]byte { return r.ID }))
	if err != nil {
		return nil, wrap(err, "read requests")
	}
	open, err := collectSubjects(rows)
	return open, wrap(err, "read requests")
}

// ErasureBegun reports whether the erasure of a locked subject has taken its first step.
func (t *Tx) ErasureBegun(ctx context.Context, id privacy.SubjectID) (begun bool, err error) {
	err = t.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM erasure WHERE subject_id = $1)`, [16]byte(id)).Scan(&begun)
	return begun, wrap(err, "read an erasure")
}

// JoinRightsRequest notes that an open request of a locked subject was joined.
func (w *Writes) JoinRightsRequest(r *RightsRequest) {
	w.queue(`UPDATE rights_request SET joins = joins + 1 WHERE subject_id = $1 AND request_id = $2`, [16]byte(r.Subject), [16]byte(r.ID))
}

// UpdateRightsRequest writes what has changed of a request under its next version. KindConflict when somebody else has changed
// it since it was read.
func (t *Tx) UpdateRightsRequest(ctx context.Context, r *RightsRequest) error {
	tag, err := t.tx.Exec(ctx, `
		UPDATE rights_request SET state = $3, version = version + 1, identified_by = $5, regime = $6, revision_id = $7, acknowledge_by = $8, due_at = $9, legal_due_on = $10,
			extension = $11, extended_at = $12, reminded_at = $13, ground = $14, joined_to = $15, updated_at = $16, closed_at = $17, effected = $18
		WHERE subject_id = $1 AND request_id = $2 AND version = $4`,
		[16]byte(r.Subject), [16]byte(r.ID), r.State, r.Version, r.Identified, r.Regime, r.Revision, nullTime(r.AcknowledgeBy), r.DueAt, r.LegalDueOn,
		r.Extension, nullTime(r.ExtendedAt), nullTime(r.RemindedAt), r.Ground, nullID(r.JoinedTo), r.UpdatedAt, nullTime(r.ClosedAt), r.Effected)
	if err == nil && tag.RowsAffected() != 1 {
		return privacy.Conflict("request_changed", "the request has changed meanwhile; read it again")
	}
	if err == nil {
		r.Version++
	}
	return wrap(err, "change a request")
}

var errNoRequest = privacy.NotFound("request_not_found", "there is no such request")

// RightsRequest reads a request by its name alone. KindNotFound when there is none.
func (s *Store) RightsRequest(ctx context.Context, id privacy.RightsRequestID) (RightsRequest, error) {
	return oneRightsRequest(ctx, s.pool, `request_id = $1`, [16]byte(id))
}

// RightsRequest reads a request of a locked subject, or of nobody.
func (t *Tx) RightsRequest(ctx context.Context, subject privacy.SubjectID, id privacy.RightsRequestID) (RightsRequest, error) {
	return oneRightsRequest(ctx, t.tx, `subject_id = $1 AND request_id = $2 FOR UPDATE`, [16]byte(subject), [16]byte(id))
}

func oneRightsRequest(ctx context.Context, q querier, where string, args ...any) (RightsRequest, error) {
	rows, err := q.Query(ctx, `SELECT `+rightsColumns+` FROM rights_request WHERE `+where, args...)
	if err != nil {
		return RightsRequest{}, wrap(err, "read a request")
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRightsRequest)
	if isNoRows(err) {
		return r, errNoRequest
	}
	return r, wrap(err, "read a request")
}

// RightsRequestRef names a request with its subject.
type RightsRequestRef struct {
	Subject privacy.SubjectID
	ID      privacy.RightsRequestID
}

// RightsRequestsNamed reads requests by their names, in no order. Those that there are not are left out.
func (s *Store) RightsRequestsNamed(ctx context.Context, refs []RightsRequestRef) ([]RightsRequest, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+rightsColumns+` FROM rights_request WHERE (subject_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`,
		subjectColumn(refs, func(r *RightsRequestRef) [16]byte { return r.Subject }), column(refs, func(r *RightsRequestRef) [16]byte { return r.ID }))
	if err != nil {
		return nil, wrap(err, "read requests")
	}
	list, err := pgx.CollectRows(rows, scanRightsRequest)
	return list, wrap(err, "read requests")
}

// OpenRightsRequest finds the request of a kind that is still to be carried out, and of which it is known that it is the locked subject's; ok
// is false when there is none. What waits for processors alone is carried out, but for an erasure of everything, which
// is one to its end.
func (t *Tx) OpenRightsRequest(ctx context.Context, subject privacy.SubjectID, kind privacy.RequestType, scope string) (r RightsRequest, ok bool, err error) {
	r, err = oneRightsRequest(ctx, t.tx, `subject_id = $1 AND type = $2 AND scope = $3 AND (state = 'in_progress' OR state = 'awaiting_processors' AND type = 'erasure' AND scope = '*')`, [16]byte(subject), kind, scope)
	ok = err == nil
	if errors.Is(err, errNoRequest) {
		err = nil
	}
	return r, ok, err
}

// OpenErasures finds the open erasures of locked subjects.
func (t *Tx) OpenErasures(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]RightsRequest, error) {
	rows, err := t.tx.Query(ctx, `SELECT `+rightsColumns+` FROM rights_request WHERE subject_id = ANY($1) AND type = 'erasure' AND scope = '*' AND state IN ('in_progress', 'awaiting_processors')`, subjectArray(subjects))
	if err != nil {
		return nil, wrap(err, "read open erasures")
	}
	list, err := pgx.CollectRows(rows, scanRightsRequest)
	open := make(map[privacy.SubjectID]RightsRequest, len(list))
	for i := range list {
		open[list[i].Subject] = list[i]
	}
	return open, wrap(err, "read open erasures")
}

// RightsFilter selects requests. Zero fields select everything.
type RightsFilter struct {
	Subject    privacy.SubjectID
	Type       privacy.RequestType
	State      privacy.RequestState
	Open       bool                    // only those that are not closed
	Identified bool                    // only those of which it is certain that the subject asks
	DueBy      time.Time               // only those due until then
	Before     privacy.RightsRequestID // only those that came before this one
	Limit      int
}

// RightsRequests lists requests, newest first.
func (s *Store) RightsRequests(ctx context.Context, f RightsFilter) ([]RightsRequest, error) {
	var where []string
	args := []any{f.Limit}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1))
	}
	if !f.Subject.IsZero() {
		add("subject_id = ?", [16]byte(f.Subject))
	}
	if f.Type != "" {
		add("type = ?", f.Type)
	}
	if f.State != "" {
		add("state = ?", f.State)
	}
	if f.Identified {
		where = append(where, "identified_by <> ''")
	}
	if f.Open {
		where = append(where, "closed_at IS NULL")
	}
	if !f.DueBy.IsZero() {
		add("due_at <= ?", f.DueBy)
	}
	if !f.Before.IsZero() {
		add("request_id < ?", [16]byte(f.Before)) // a UUIDv7: in the order in which they came
	}
	sql := `SELECT ` + rightsColumns + ` FROM rights_request`
	if len(where) > 0 {
		sql += ` WHERE ` + strings.Join(where, " AND ")
	}
	rows, err := s.pool.Query(ctx, sql+` ORDER BY request_id DESC LIMIT $1`, args...)
	if err != nil {
		return nil, wrap(err, "list requests")
	}
	list, err := pgx.CollectRows(rows, scanRightsRequest)
	return list, wrap(err, "list requests")
}
