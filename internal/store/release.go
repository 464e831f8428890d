package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// ReleaseKind says what sort of answer was given about a group.
type ReleaseKind string

// The kinds of releases.
const (
	ReleaseCount      ReleaseKind = "count"
	ReleaseBreakdown  ReleaseKind = "breakdown"
	ReleaseOverlap    ReleaseKind = "overlap"
	ReleaseReport     ReleaseKind = "report"
	ReleaseActivation ReleaseKind = "activation"
)

// Release is an answer about groups of people, and what it cost.
type Release struct {
	ID          [16]byte
	Account     Account
	Kind        ReleaseKind
	Question    [32]byte
	Segment     SegmentID // zero: about none
	Version     int32
	Revision    privacy.RevisionID
	Epsilon     uint32 // thousandths
	DataVersion int64
	ValidUntil  time.Time // zero: until the data changes
	Answer      []byte    // JSON
	At          time.Time
}

// Account is what a budget is kept for.
type Account struct {
	Client  privacy.ClientID
	Purpose privacy.PurposeName
	Window  time.Time // its beginning
}

// LockAccount has those who would spend from an account come one after the other, until the transaction ends, and tells what was spent,
// in thousandths.
func (t *Tx) LockAccount(ctx context.Context, a Account) (spent int64, err error) {
	if _, err := t.tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('consentry release ' || $1 || ' ' || $2, 0))`, string(a.Client), string(a.Purpose)); err != nil {
		return 0, wrap(err, "lock a budget")
	}
	err = t.tx.QueryRow(ctx, selectSpent, a.Client, a.Purpose, a.Window).Scan(&spent)
	return spent, wrap(err, "read a budget")
}

// selectSpent sums what was spent since a window began: when the policy makes windows longer or shorter, what was told within the new one counts.
const selectSpent = `SELECT coalesce(sum(epsilon_milli), 0)::bigint FROM release WHERE client = $1 AND purpose = $2 AND released_at >= $3`

// Spent tells what was spent from an account.
func (s *Store) Spent(ctx context.Context, a Account) (spent int64, err error) {
	err = s.pool.QueryRow(ctx, selectSpent, a.Client, a.Purpose, a.Window).Scan(&spent)
	return spent, wrap(err, "read a budget")
}

// ReleasedBefore finds the newest answer that was given to a question on the very same data.
func (t *Tx) ReleasedBefore(ctx context.Context, r *Release) (earlier Release, ok bool, err error) {
	rows, err := t.tx.Query(ctx, `SELECT `+releaseColumns+` FROM release
		WHERE client = $1 AND purpose = $2 AND question = $3 AND data_version = $4 AND revision_id = $5 AND (valid_until IS NULL OR valid_until > $6)
		ORDER BY released_at DESC LIMIT 1`, r.Account.Client, r.Account.Purpose, r.Question[:], r.DataVersion, r.Revision, r.At)
	if err != nil {
		return earlier, false, wrap(err, "look an answer up")
	}
	earlier, err = pgx.CollectExactlyOneRow(rows, scanRelease)
	if isNoRows(err) {
		return earlier, false, nil
	}
	return earlier, err == nil, wrap(err, "look an answer up")
}

const releaseColumns = `release_id, client, purpose, window_start, kind, question, segment_id, coalesce(segment_version, 0), revision_id, epsilon_milli, data_version, valid_until, answer, released_at`

func scanRelease(row pgx.CollectableRow) (r Release, err error) {
	var segment *[16]byte
	var question []byte
	var valid *time.Time
	err = row.Scan(&r.ID, &r.Account.Client, &r.Account.Purpose, &r.Account.Window, &r.Kind, &question, &segment, &r.Version, &r.Revision, &r.Epsilon, &r.DataVersion, &valid, &r.Answer, &r.At)
	copy(r.Question[:], question)
	if segment != nil {
		r.Segment = *segment
	}
	r.ValidUntil, r.At = timeOrZero(valid), r.At.UTC()
	return r, err
}

// AppendRelease puts an answer on record, and so spends what it costs.
func (t *Tx) AppendRelease(ctx context.Context, r *Release) error {
	_, err := t.tx.Exec(ctx, `
		INSERT INTO release (release_id, client, purpose, window_start, kind, question, segment_id, segment_version, revision_id, epsilon_milli, data_version, valid_until, answer, released_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, 0), $9, $10, $11, $12, $13, $14)`,
		r.ID, r.Account.Client, r.Account.Purpose, r.Account.Window, r.Kind, r.Question[:], r.Segment.orNull(), r.Version, r.Revision, int64(r.Epsilon), r.DataVersion, nullTime(r.ValidUntil), r.Answer, r.At)
	return wrap(err, "write a release")
}

// Releases lists what was told of a segment to a client for a purpose, newest first, before a time; zero begins.
func (s *Store) Releases(ctx context.Context, segment SegmentID, account Account, before time.Time, limit int) ([]Release, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+releaseColumns+` FROM release
		WHERE segment_id = $1 AND client = $2 AND purpose = $3 AND kind = 'count' AND ($4::timestamptz IS NULL OR released_at < $4) ORDER BY released_at DESC LIMIT $5`,
		[16]byte(segment), account.Client, account.Purpose, nullTime(before), limit)
	if err != nil {
		return nil, wrap(err, "list releases")
	}
	list, err := pgx.CollectRows(rows, scanRelease)
	return list, wrap(err, "list releases")
}
