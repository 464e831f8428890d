package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// ConsentRecord is one entry of a subject's ledger. Seq counts from 1 within the subject.
type ConsentRecord struct {
	Seq         int32
	ID          [16]byte
	Purpose     privacy.PurposeName
	Action      privacy.ConsentAction
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy
	Channel     string
	Method      string
	OccurredAt  time.Time
	ExpiresAt   time.Time // zero: does not expire
	RecordedBy  privacy.ClientID
	RecordedAt  time.Time
}

// ConsentState is where a subject stands on one purpose, as the ledger's fold left it.
// Status is never expired here: expiry is worked out when it is read.
type ConsentState struct {
	Purpose     privacy.PurposeName
	Seq         int32
	Status      privacy.ConsentStatus
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy
	OccurredAt  time.Time
	ExpiresAt   time.Time
	Notice      NoticeRef
	UpdatedAt   time.Time
}

// NoticeRef names one version of a notice; the zero NoticeRef names none.
type NoticeRef struct {
	ID      string
	Version int32
}

// AppendConsent adds a record at the end of a locked subject's ledger and returns its number.
func (t *Tx) AppendConsent(ctx context.Context, id privacy.SubjectID, r ConsentRecord) (seq int32, err error) {
	err = t.tx.QueryRow(ctx, `
		INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at, recorded_by, recorded_at)
		SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
		FROM consent_record WHERE subject_id = $1
		RETURNING seq`,
		[16]byte(id), r.ID, r.Purpose, r.Action, r.Explicit, scopeTexts(r.SeparateFor), r.By, r.Channel, r.Method,
		r.OccurredAt, nullTime(r.ExpiresAt), r.RecordedBy, r.RecordedAt).Scan(&seq)
	return seq, wrap(err, "append a consent record")
}

// ConsentState reads the state of a locked subject on a purpose; ok is false when there is none.
func (t *Tx) ConsentState(ctx context.Context, id privacy.SubjectID, purpose privacy.PurposeName) (state ConsentState, ok bool, err error) {
	rows, err := t.tx.Query(ctx, selectConsentState+` WHERE subject_id = $1 AND purpose = $2`, [16]byte(id), purpose)
	if err != nil {
		return state, false, wrap(err, "read consent state")
	}
	state, err = pgx.CollectExactlyOneRow(rows, scanConsentState)
	if isNoRows(err) {
		return ConsentState{}, false, nil
	}
	return state, err == nil, wrap(err, "read consent state")
}

// PutConsentState replaces the state of a locked subject on a purpose.
func (t *Tx) PutConsentState(ctx context.Context, id privacy.SubjectID, s ConsentState) error {
	_, err := t.tx.Exec(ctx, `
		INSERT INTO consent_state (subject_id, purpose, seq, status, explicit, separate_for, given_by, occurred_at, expires_at, notice_id, notice_version, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (subject_id, purpose) DO UPDATE SET seq = excluded.seq, status = excluded.status, explicit = excluded.explicit,
			separate_for = excluded.separate_for, given_by = excluded.given_by, occurred_at = excluded.occurred_at,
			expires_at = excluded.expires_at, notice_id = excluded.notice_id, notice_version = excluded.notice_version, updated_at = excluded.updated_at`,
		[16]byte(id), s.Purpose, s.Seq, s.Status, s.Explicit, scopeTexts(s.SeparateFor), s.By, s.OccurredAt, nullTime(s.ExpiresAt), s.Notice.ID, s.Notice.Version, s.UpdatedAt)
	return wrap(err, "write consent state")
}

// ConsentStates reads where a locked subject stands on every purpose they ever decided about.
func (t *Tx) ConsentStates(ctx context.Context, id privacy.SubjectID) ([]ConsentState, error) {
	rows, err := t.tx.Query(ctx, selectConsentState+` WHERE subject_id = $1 ORDER BY purpose`, [16]byte(id))
	if err != nil {
		return nil, wrap(err, "read consent states")
	}
	states, err := pgx.CollectRows(rows, scanConsentState)
	return states, wrap(err, "read consent states")
}

// ConsentStates lists where a subject stands on every purpose they ever decided about.
func (s *Store) ConsentStates(ctx context.Context, id privacy.SubjectID) ([]ConsentState, error) {
	rows, err := s.pool.Query(ctx, selectConsentState+` WHERE subject_id = $1 ORDER BY purpose`, [16]byte(id))
	if err != nil {
		return nil, wrap(err, "read consent states")
	}
	states, err := pgx.CollectRows(rows, scanConsentState)
	return states, wrap(err, "read consent states")
}

// ConsentHistory reads the ledger of a subject, newest first: up to limit records older
// than before (0: from the newest).
func (s *Store) ConsentHistory(ctx context.Context, id privacy.SubjectID, before int32, limit int) ([]ConsentRecord, error) {
	rows, err := s.pool.Query(ctx, selectConsentRecord+` WHERE subject_id = $1 AND ($2 = 0 OR seq < $2) ORDER BY seq DESC LIMIT $3`, [16]byte(id), before, limit)
	if err != nil {
		return nil, wrap(err, "read the consent ledger")
	}
	records, err := pgx.CollectRows(rows, scanConsentRecord)
	return records, wrap(err, "read the consent ledger")
}

// SubjectExists reports whether the subject has ever been stored.
func (s *Store) SubjectExists(ctx context.Context, id privacy.SubjectID) (bool, error) {
	var exists bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM subject WHERE subject_id = $1)`, [16]byte(id)).Scan(&exists)
	return exists, wrap(err, "look a subject up")
}

const selectConsentState = `SELECT purpose, seq, status, explicit, separate_for, given_by, occurred_at, expires_at, notice_id, notice_version, updated_at FROM consent_state`

func scanConsentState(row pgx.CollectableRow) (ConsentState, error) {
	var s ConsentState
	var expires *time.Time
	err := row.Scan(&s.Purpose, &s.Seq, &s.Status, &s.Explicit, &s.SeparateFor, &s.By, &s.OccurredAt, &expires, &s.Notice.ID, &s.Notice.Version, &s.UpdatedAt)
	s.ExpiresAt = timeOrZero(expires)
	return s, err
}

const selectConsentRecord = `
		SELECT seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at, recorded_by, recorded_at
		FROM consent_record`

func scanConsentRecord(row pgx.CollectableRow) (ConsentRecord, error) {
	var r ConsentRecord
	var expires *time.Time
	err := row.Scan(&r.Seq, &r.ID, &r.Purpose, &r.Action, &r.Explicit, &r.SeparateFor, &r.By, &r.Channel, &r.Method,
		&r.OccurredAt, &expires, &r.RecordedBy, &r.RecordedAt)
	r.ExpiresAt = timeOrZero(expires)
	return r, err
}

func scopeTexts(scopes []privacy.ConsentScope) []string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return texts
}
