package store

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Confirmation is what the link to confirm a record must prove, and what became of it.
type Confirmation struct {
	Record     [16]byte
	SecretHash [32]byte // keyed
	Attempts   int      // with a wrong secret
	CreatedAt  time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time // zero: not yet
}

// PutConfirmation adds what is to be confirmed of a locked subject.
func (w *Writes) PutConfirmation(id privacy.SubjectID, c *Confirmation) {
	w.queue(`INSERT INTO confirmation (subject_id, record_id, secret_hash, attempts, created_at, expires_at) VALUES ($1, $2, $3, 0, $4, $5)`,
		[16]byte(id), c.Record, c.SecretHash[:], c.CreatedAt, c.ExpiresAt)
}

// countConfirmations counts what a subject was asked to confirm since a time.
const countConfirmations = `SELECT count(*) FROM confirmation WHERE subject_id = $1 AND created_at > $2`

// Confirmation reads what is to be confirmed of a locked subject; ok is false when there is nothing.
func (t *Tx) Confirmation(ctx context.Context, id privacy.SubjectID, record [16]byte) (c Confirmation, ok bool, err error) {
	var hash []byte
	var used *time.Time
	err = t.tx.QueryRow(ctx, `SELECT secret_hash, attempts, created_at, expires_at, used_at FROM confirmation WHERE subject_id = $1 AND record_id = $2`, [16]byte(id), record).
		Scan(&hash, &c.Attempts, &c.CreatedAt, &c.ExpiresAt, &used)
	if isNoRows(err) {
		return Confirmation{}, false, nil
	}
	if err != nil {
		return Confirmation{}, false, wrap(err, "read a confirmation")
	}
	c.Record, c.SecretHash, c.UsedAt = record, [32]byte(hash), timeOrZero(used)
	return c, true, nil
}

// UpdateConfirmation writes the attempts and the use of a locked subject's confirmation.
func (w *Writes) UpdateConfirmation(id privacy.SubjectID, c *Confirmation) {
	w.queue(`UPDATE confirmation SET attempts = $3, used_at = $4 WHERE subject_id = $1 AND record_id = $2`, [16]byte(id), c.Record, c.Attempts, nullTime(c.UsedAt))
}
