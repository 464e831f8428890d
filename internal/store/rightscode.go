package store

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// RightsCode is the code that shows who is asking, and what became of it.
type RightsCode struct {
	Hash      [32]byte // keyed
	Attempts  int      // with a wrong code
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: not yet
}

// PutRightsCode gives a request a fresh code in the place of the one it had.
func (w *Writes) PutRightsCode(subject privacy.SubjectID, id privacy.RightsRequestID, c *RightsCode) {
	w.queue(`INSERT INTO rights_code (subject_id, request_id, code_hash, attempts, created_at, expires_at) VALUES ($1, $2, $3, 0, $4, $5)
		ON CONFLICT (subject_id, request_id) DO UPDATE SET code_hash = excluded.code_hash, attempts = 0, created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = NULL`,
		[16]byte(subject), [16]byte(id), c.Hash[:], c.CreatedAt, c.ExpiresAt)
}

// RightsCode reads the code of a locked request; ok is false when it has none.
func (t *Tx) RightsCode(ctx context.Context, subject privacy.SubjectID, id privacy.RightsRequestID) (c RightsCode, ok bool, err error) {
	var hash []byte
	var used *time.Time
	err = t.tx.QueryRow(ctx, `SELECT code_hash, attempts, created_at, expires_at, used_at FROM rights_code WHERE subject_id = $1 AND request_id = $2 FOR UPDATE`, [16]byte(subject), [16]byte(id)).
		Scan(&hash, &c.Attempts, &c.CreatedAt, &c.ExpiresAt, &used)
	if isNoRows(err) {
		return RightsCode{}, false, nil
	}
	if err != nil {
		return RightsCode{}, false, wrap(err, "read a code")
	}
	c.Hash, c.UsedAt = [32]byte(hash), timeOrZero(used)
	return c, true, nil
}

// UpdateRightsCode writes the attempts and the use of a locked request's code.
func (t *Tx) UpdateRightsCode(ctx context.Context, subject privacy.SubjectID, id privacy.RightsRequestID, c *RightsCode) error {
	_, err := t.tx.Exec(ctx, `UPDATE rights_code SET attempts = $3, used_at = $4 WHERE subject_id = $1 AND request_id = $2`, [16]byte(subject), [16]byte(id), c.Attempts, nullTime(c.UsedAt))
	return wrap(err, "change a code")
}

// RightsCodesSince counts the requests of a subject that were given a code since the given time: those that anybody may have made, by a
// form, or the others.
func (s *Store) RightsCodesSince(ctx context.Context, subject privacy.SubjectID, byForm bool, since time.Time) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM rights_code c JOIN rights_request r ON r.subject_id = c.subject_id AND r.request_id = c.request_id
		WHERE c.subject_id = $1 AND r.subject_id = $1 AND c.created_at > $2 AND (r.lodged_by = 'form') = $3`, [16]byte(subject), since, byForm).Scan(&n)
	return n, wrap(err, "count codes")
}
