package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// IdempotencyKey names a write that a client may send again. Fingerprint is a keyed hash of
// the request.
type IdempotencyKey struct {
	Client      privacy.ClientID
	Key         string
	Fingerprint [32]byte
}

// Recall gives the answer to an earlier write of the same key, inside the transaction that would
// write again. It holds ids, never personal data. Two requests with one key wait for each other. KindConflict when the
// key was used for a different request.
func (t *Tx) Recall(ctx context.Context, key IdempotencyKey) (answer []byte, ok bool, err error) {
	if _, err = t.tx.Exec(ctx, lockKey, key.Client, key.Key); err != nil {
		return nil, false, wrap(err, "lock an idempotency key")
	}
	answer, ok, err = scanAnswer(t.tx.QueryRow(ctx, selectAnswer, key.Client, key.Key), &key)
	return answer, ok, wrap(err, "read an idempotency key")
}

const (
	keyHash      = `hashtextextended($1 || ' ' || $2, 0)`
	lockKey      = `SELECT pg_advisory_xact_lock(` + keyHash + `)`
	selectAnswer = `SELECT fingerprint, answer FROM idempotency WHERE client = $1 AND key = $2`
)

func scanAnswer(row pgx.Row, key *IdempotencyKey) (answer []byte, ok bool, err error) {
	var fingerprint []byte
	err = row.Scan(&fingerprint, &answer)
	switch {
	case isNoRows(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case string(fingerprint) != string(key.Fingerprint[:]):
		return nil, false, privacy.Conflict("idempotency_key_reused", "this Idempotency-Key was used for a different request; choose a fresh one")
	}
	return answer, true, nil
}

// Remember keeps the answer of the write this transaction makes.
func (t *Tx) Remember(ctx context.Context, key IdempotencyKey, answer []byte, at time.Time) error {
	_, err := t.tx.Exec(ctx, insertAnswer, key.Client, key.Key, key.Fingerprint[:], answer, at)
	return wrap(err, "keep an idempotency key")
}

// Only what was done is answered again, so the status is always the same.
const insertAnswer = `INSERT INTO idempotency (client, key, fingerprint, status, answer, created_at) VALUES ($1, $2, $3, 200, $4, $5)`

// Remember is [Tx.Remember] among other writes.
func (w *Writes) Remember(key IdempotencyKey, answer []byte, at time.Time) {
	w.queue(insertAnswer, key.Client, key.Key, key.Fingerprint[:], answer, at)
}

// ForgetAnswers drops the answers kept since before the given time.
func (s *Store) ForgetAnswers(ctx context.Context, before time.Time) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM idempotency WHERE created_at < $1`, before)
	return wrap(err, "forget old idempotency keys")
}
