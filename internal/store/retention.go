package store

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// RetentionRun is one walk of the retention job through the population.
type RetentionRun struct {
	ID         [16]byte
	DryRun     bool               // it only counts
	Revision   privacy.RevisionID // that it has gone by last
	Client     privacy.ClientID
	StartedAt  time.Time
	Cursor     privacy.SubjectID // everybody up to here has been looked at
	Subjects   int64             // of whom something was due
	Counts     RetentionCounts
	FinishedAt time.Time
}

// Clone gives a copy that shares nothing.
func (r *RetentionRun) Clone() RetentionRun {
	c := *r
	c.Counts = make(RetentionCounts, len(r.Counts))
	for attribute, whys := range r.Counts {
		c.Counts[attribute] = maps.Clone(whys)
	}
	return c
}

// RetentionCounts counts values, by attribute and by why they were due.
type RetentionCounts map[privacy.AttributeName]map[string]int64

// Add counts values.
func (c RetentionCounts) Add(attribute privacy.AttributeName, why string, n int64) {
	if c[attribute] == nil {
		c[attribute] = make(map[string]int64)
	}
	c[attribute][why] += n
}

const retentionColumns = `run_id, dry_run, revision_id, client, started_at, cursor, subjects, counts, finished_at`

func scanRetentionRun(row pgx.CollectableRow) (r RetentionRun, err error) {
	var counts []byte
	var finished *time.Time
	if err := row.Scan(&r.ID, &r.DryRun, &r.Revision, &r.Client, &r.StartedAt, (*[16]byte)(&r.Cursor), &r.Subjects, &counts, &finished); err != nil {
		return r, err
	}
	r.StartedAt, r.FinishedAt = r.StartedAt.UTC(), timeOrZero(finished)
	return r, json.Unmarshal(counts, &r.Counts)
}

// StartRetention adds a run, unless one is under way: then started is false, and nothing is added.
func (t *Tx) StartRetention(ctx context.Context, r *RetentionRun) (started bool, err error) {
	tag, err := t.tx.Exec(ctx, `INSERT INTO retention_run (run_id, dry_run, revision_id, client, started_at, cursor) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		r.ID, r.DryRun, r.Revision, r.Client, r.StartedAt, [16]byte(r.Cursor))
	return tag.RowsAffected() == 1, wrap(err, "start a retention run")
}

// RetentionRuns lists runs, newest first.
func (s *Store) RetentionRuns(ctx context.Context, before [16]byte, limit int) ([]RetentionRun, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+retentionColumns+` FROM retention_run WHERE $1::uuid IS NULL OR run_id < $1 ORDER BY run_id DESC LIMIT $2`, nullID(before), limit)
	if err != nil {
		return nil, wrap(err, "list retention runs")
	}
	list, err := pgx.CollectRows(rows, scanRetentionRun)
	return list, wrap(err, "list retention runs")
}

// LastRetention tells when the last run that deletes began, zero when there was none, and whether any run is under way.
func (s *Store) LastRetention(ctx context.Context) (began time.Time, underWay bool, err error) {
	var last *time.Time
	err = s.pool.QueryRow(ctx, `SELECT max(started_at) FILTER (WHERE NOT dry_run), coalesce(bool_or(finished_at IS NULL), false) FROM retention_run`).Scan(&last, &underWay)
	return timeOrZero(last), underWay, wrap(err, "look for the last retention run")
}

// RetentionUnderWay reads the run that is under way. KindUnavailable when there is none any more.
func (s *Store) RetentionUnderWay(ctx context.Context) (RetentionRun, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+retentionColumns+` FROM retention_run WHERE finished_at IS NULL`)
	if err != nil {
		return RetentionRun{}, wrap(err, "read the retention run under way")
	}
	run, err := pgx.CollectExactlyOneRow(rows, scanRetentionRun)
	if isNoRows(err) {
		return run, privacy.Unavailable(nil, "retention_busy", "another run has just ended; try again")
	}
	return run, wrap(err, "read the retention run under way")
}

// RetentionRun reads a run. KindNotFound when there is none.
func (s *Store) RetentionRun(ctx context.Context, id [16]byte) (RetentionRun, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+retentionColumns+` FROM retention_run WHERE run_id = $1`, id)
	if err != nil {
		return RetentionRun{}, wrap(err, "read a retention run")
	}
	run, err := pgx.CollectExactlyOneRow(rows, scanRetentionRun)
	if isNoRows(err) {
		return run, privacy.NotFound("run_not_found", "there is no such run")
	}
	return run, wrap(err, "read a retention run")
}

// AdvanceRetention keeps how far a run has come from where the cursor was; false when another has moved it.
func (t *Tx) AdvanceRetention(ctx context.Context, r *RetentionRun, from privacy.SubjectID) (bool, error) {
	counts, _ := json.Marshal(r.Counts) // names and numbers: it always encodes
	tag, err := t.tx.Exec(ctx, `UPDATE retention_run SET cursor = $2, subjects = $3, counts = $4, finished_at = $5, revision_id = $7 WHERE run_id = $1 AND cursor = $6 AND finished_at IS NULL`,
		r.ID, [16]byte(r.Cursor), r.Subjects, counts, nullTime(r.FinishedAt), [16]byte(from), r.Revision)
	return tag.RowsAffected() == 1, wrap(err, "advance a retention run")
}

// Terms are until when values are kept. Those that say themselves when they expire go then; of each attribute, by its number, those go
// too that were collected at or before a time, of which nil is none.
type Terms struct {
	At      time.Time
	Cutoffs []*time.Time // the first is of attribute 1
}

// DueValue is a value whose time is over.
type DueValue struct {
	Subject   privacy.SubjectID
	Attribute privacy.AttributeID
	Expired   bool // by what it says itself
	Held      bool // by a legal hold
}

const selectDue = `
	SELECT v.subject_id, v.attribute_id, coalesce(v.expires_at <= $1, false), EXISTS (SELECT FROM legal_hold h WHERE h.subject_id = v.subject_id AND h.released_at IS NULL)
	FROM attribute_value v JOIN subject s ON s.subject_id = v.subject_id
	WHERE v.sealed IS NOT NULL AND s.erased_at IS NULL AND (v.expires_at <= $1 OR v.collected_at <= ($2::timestamptz[])[v.attribute_id]) AND `

// DueValues reads which values of a range of subjects are due, in the order of the subjects.
func (s *Store) DueValues(ctx context.Context, in SubjectRange, terms Terms) ([]DueValue, error) {
	return dueValues(ctx, s.pool, selectDue+`v.subject_id > $3 AND v.subject_id <= $4 ORDER BY v.subject_id, v.attribute_id`, terms.At, terms.Cutoffs, [16]byte(in.After), [16]byte(in.To))
}

// DueValues reads which values of locked subjects are due.
func (t *Tx) DueValues(ctx context.Context, subjects []privacy.SubjectID, terms Terms) ([]DueValue, error) {
	return dueValues(ctx, t.tx, selectDue+`v.subject_id = ANY($3) ORDER BY v.subject_id, v.attribute_id`, terms.At, terms.Cutoffs, subjectArray(subjects))
}

func dueValues(ctx context.Context, q querier, sql string, args ...any) ([]DueValue, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "read what is due")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v DueValue, err error) {
		var attribute int32
		err = row.Scan((*[16]byte)(&v.Subject), &attribute, &v.Expired, &v.Held)
		v.Attribute = privacy.AttributeID(attribute) //nolint:gosec // bounded by a check constraint
		return v, err
	})
	return list, wrap(err, "read what is due")
}

// SubjectsAfter is [Store.SubjectRanges] from somebody on: the next range, and whether it is the last.
func (s *Store) SubjectsAfter(ctx context.Context, after privacy.SubjectID, people int) (in SubjectRange, last bool, err error) {
	in.After = after
	err = s.pool.QueryRow(ctx, `SELECT subject_id FROM subject WHERE subject_id > $1 ORDER BY subject_id OFFSET $2 LIMIT 1`, [16]byte(after), people-1).Scan((*[16]byte)(&in.To))
	if isNoRows(err) {
		return SubjectRange{after, lastSubject}, true, nil
	}
	return in, false, wrap(err, "divide the population")
}
