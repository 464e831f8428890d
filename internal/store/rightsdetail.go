package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// What requests say in detail is sealed under their subject's key, and kept for no longer than somebody needs it: a value that was written, or erased,
// goes at once, and the rest when the request has been closed for long enough.

// AddRightsDetail adds what was asked in detail, sealed under the locked subject's key.
func (w *Writes) AddRightsDetail(subject privacy.SubjectID, id privacy.RightsRequestID, sealed []byte, at time.Time) {
	w.queue(`INSERT INTO rights_detail (subject_id, request_id, number, sealed, at)
		SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4 FROM rights_detail WHERE subject_id = $1 AND request_id = $2`, [16]byte(subject), [16]byte(id), sealed, at)
}

// RightsDetail is one thing that a request says in detail, sealed.
type RightsDetail struct {
	Request privacy.RightsRequestID
	Number  int32
	Sealed  []byte
}

const selectDetails = `SELECT d.request_id, d.number, d.sealed FROM rights_detail d `

// RightsDetailsOf reads what all requests of a locked subject say in detail.
func (t *Tx) RightsDetailsOf(ctx context.Context, subject privacy.SubjectID) ([]RightsDetail, error) {
	return rightsDetails(ctx, t.tx, selectDetails+`WHERE d.subject_id = $1`, [16]byte(subject))
}

// RightsDetailsWith reads what a request of a locked subject says in detail, in order, and those that have joined it.
func (t *Tx) RightsDetailsWith(ctx context.Context, subject privacy.SubjectID, id privacy.RightsRequestID) ([]RightsDetail, error) {
	return rightsDetails(ctx, t.tx, selectDetails+`JOIN rights_request r ON r.subject_id = d.subject_id AND r.request_id = d.request_id
		WHERE d.subject_id = $1 AND (r.request_id = $2 OR r.joined_to = $2) ORDER BY d.request_id, d.number`, [16]byte(subject), [16]byte(id))
}

// RightsDetails reads what was asked in detail, in order.
func (s *Store) RightsDetails(ctx context.Context, subject privacy.SubjectID, id privacy.RightsRequestID) ([]RightsDetail, error) {
	return rightsDetails(ctx, s.pool, selectDetails+`WHERE d.subject_id = $1 AND d.request_id = $2 ORDER BY d.number`, [16]byte(subject), [16]byte(id))
}

func rightsDetails(ctx context.Context, q querier, sql string, args ...any) ([]RightsDetail, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "read the details of requests")
	}
	details, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d RightsDetail, err error) {
		return d, row.Scan((*[16]byte)(&d.Request), &d.Number, &d.Sealed)
	})
	return details, wrap(err, "read the details of requests")
}

// PutRightsDetail has a request say something else in one place, and nothing there when it is sealed as nil.
func (w *Writes) PutRightsDetail(subject privacy.SubjectID, d RightsDetail) {
	if d.Sealed == nil {
		w.queue(`DELETE FROM rights_detail WHERE subject_id = $1 AND request_id = $2 AND number = $3`, [16]byte(subject), [16]byte(d.Request), d.Number)
		return
	}
	w.queue(`UPDATE rights_detail SET sealed = $4 WHERE subject_id = $1 AND request_id = $2 AND number = $3`, [16]byte(subject), [16]byte(d.Request), d.Number, d.Sealed)
}

// ReadAgain has whoever is carrying a request out read it again, because it says something else.
func (w *Writes) ReadAgain(subject privacy.SubjectID, id privacy.RightsRequestID) {
	w.queue(`UPDATE rights_request SET joins = joins + 1 WHERE subject_id = $1 AND request_id = $2 AND state = 'in_progress'`, [16]byte(subject), [16]byte(id))
}

// SaidLongAgo names a request that was closed for long enough, and still says something in detail.
type SaidLongAgo struct {
	RightsRequestRef
	Held bool // by a legal hold on its subject
}

const selectSaid = `
	SELECT r.subject_id, r.request_id, EXISTS (SELECT FROM legal_hold h WHERE h.subject_id = r.subject_id AND h.released_at IS NULL)
	FROM rights_request r WHERE r.closed_at <= $1 AND EXISTS (SELECT FROM rights_detail d WHERE d.subject_id = r.subject_id AND d.request_id = r.request_id) AND `

// SaidLongAgo lists the requests of a range of subjects that were closed by a time and say something in detail, in the order of the subjects.
func (s *Store) SaidLongAgo(ctx context.Context, in SubjectRange, closed time.Time) ([]SaidLongAgo, error) {
	return saidLongAgo(ctx, s.pool, selectSaid+`r.subject_id > $2 AND r.subject_id <= $3 ORDER BY r.subject_id, r.request_id`, closed, [16]byte(in.After), [16]byte(in.To))
}

// SaidLongAgo lists those of locked subjects.
func (t *Tx) SaidLongAgo(ctx context.Context, subjects []privacy.SubjectID, closed time.Time) ([]SaidLongAgo, error) {
	return saidLongAgo(ctx, t.tx, selectSaid+`r.subject_id = ANY($2) ORDER BY r.subject_id, r.request_id`, closed, subjectArray(subjects))
}

func saidLongAgo(ctx context.Context, q querier, sql string, args ...any) ([]SaidLongAgo, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "look for what requests have said long ago")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one SaidLongAgo, err error) {
		return one, row.Scan((*[16]byte)(&one.Subject), (*[16]byte)(&one.ID), &one.Held)
	})
	return list, wrap(err, "look for what requests have said long ago")
}

// ForgetSaid deletes what requests of locked subjects say in detail.
func (t *Tx) ForgetSaid(ctx context.Context, refs []RightsRequestRef) error {
	_, err := t.tx.Exec(ctx, `DELETE FROM rights_detail WHERE (subject_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`,
		subjectColumn(refs, func(r *RightsRequestRef) [16]byte { return r.Subject }), column(refs, func(r *RightsRequestRef) [16]byte { return r.ID }))
	return wrap(err, "forget what requests have said")
}
