package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Unidentified lists the requests that came until a time and of which nobody has shown that the subject asks, and those with one proof of two that were
// due by then, after a request, the oldest first.
func (s *Store) Unidentified(ctx context.Context, until time.Time, after privacy.RightsRequestID, limit int) ([]privacy.RightsRequestID, error) {
	return s.requestIDs(ctx, `SELECT request_id FROM rights_request WHERE state = 'verifying' AND request_id > $2
		AND CASE identified_by WHEN '' THEN received_at ELSE due_at END <= $1 ORDER BY request_id LIMIT $3`, until, [16]byte(after), limit)
}

// DueSoon lists the open requests that are due before a time has passed and of which no officer was reminded since they came that near, the
// most urgent first. Those that anybody may have made up, by a form, are not among them.
func (s *Store) DueSoon(ctx context.Context, at time.Time, before time.Duration, limit int) ([]privacy.RightsRequestID, error) {
	return s.requestIDs(ctx, `SELECT request_id FROM rights_request WHERE closed_at IS NULL AND due_at <= $1
		AND (reminded_at IS NULL OR reminded_at < due_at - $2::interval) AND (lodged_by <> 'form' OR identified_by <> '') ORDER BY due_at LIMIT $3`, at.Add(before), before, limit)
}

// Unfinished lists the requests of some kinds that are to be carried out and lead to no erasure yet, after a request, the oldest first.
func (s *Store) Unfinished(ctx context.Context, types []privacy.RequestType, after privacy.RightsRequestID, limit int) ([]RightsRequestRef, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, request_id FROM rights_request r WHERE state = 'in_progress' AND type = ANY($1) AND request_id > $2
		AND NOT EXISTS (SELECT FROM erasure e WHERE e.subject_id = r.subject_id AND e.request_id = r.request_id) ORDER BY request_id LIMIT $3`,
		types, [16]byte(after), limit)
	if err != nil {
		return nil, wrap(err, "list requests under way")
	}
	refs, err := pgx.CollectRows(rows, scanRightsRef)
	return refs, wrap(err, "list requests under way")
}

func scanRightsRef(row pgx.CollectableRow) (ref RightsRequestRef, err error) {
	return ref, row.Scan((*[16]byte)(&ref.Subject), (*[16]byte)(&ref.ID))
}

func (s *Store) requestIDs(ctx context.Context, sql string, args ...any) ([]privacy.RightsRequestID, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "look for requests")
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
	ids := make([]privacy.RightsRequestID, len(list))
	for i := range list {
		ids[i] = list[i]
	}
	return ids, wrap(err, "look for requests")
}

// ForgetAsked deletes what a request has said in detail, and its code: it expires, and nobody knows whose words they were.
func (w *Writes) ForgetAsked(subject privacy.SubjectID, id privacy.RightsRequestID) {
	w.queue(`DELETE FROM rights_detail WHERE subject_id = $1 AND request_id = $2`, [16]byte(subject), [16]byte(id))
	w.queue(`DELETE FROM rights_code WHERE subject_id = $1 AND request_id = $2`, [16]byte(subject), [16]byte(id))
}
