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
	ConfirmBy   string   // "email" or "sms": it awaits confirmation; "": it does not
	Confirms    [16]byte // the record that this one confirms; zero: none
	OccurredAt  time.Time
	ExpiresAt   time.Time // zero: does not expire
	RecordedBy  privacy.ClientID
	RecordedAt  time.Time
	Notice      NoticeRef
	NoticeHash  []byte // of the notice's content; nil when there is none
	Locale      string // BCP 47; in which language it was shown
	Evidence    []byte // commitment to the evidence; nil when there is none
	Prev, Hash  []byte // the chain; nil in records from before there was one
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

// AppendEvidence adds the sealed evidence of a record beside it.
func (w *Writes) AppendEvidence(id privacy.SubjectID, seq int32, sealed []byte) {
	w.queue(`INSERT INTO consent_evidence (subject_id, seq, sealed) VALUES ($1, $2, $3)`, [16]byte(id), seq, sealed)
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

// Stands reads a subject's standing and where they stand on every purpose they ever decided about, as of
// one moment. exists is false when there is no such subject.
func (s *Store) Stands(ctx context.Context, id privacy.SubjectID) (standing privacy.Standing, states []ConsentState, exists bool, err error) {
	rows, err := s.pool.Query(ctx, `SELECT `+selectStanding+`, coalesce(c.purpose, ''), coalesce(c.seq, 0), coalesce(c.status, ''), coalesce(c.explicit, false), c.separate_for,
			coalesce(c.given_by, ''), c.occurred_at, c.expires_at, coalesce(c.notice_id, ''), coalesce(c.notice_version, 0), c.updated_at
		FROM subject s LEFT JOIN consent_state c ON c.subject_id = s.subject_id WHERE s.subject_id = $1 ORDER BY c.purpose`, [16]byte(id))
	if err != nil {
		return standing, nil, false, wrap(err, "read where a subject stands")
	}
	defer rows.Close()
	for rows.Next() {
		var content []byte
		var state ConsentState
		if err := scanMaybeState(rows, &state, &content); err != nil {
			return standing, nil, false, wrap(err, "read where a subject stands")
		}
		exists = true
		if state.Purpose != "" {
			states = append(states, state)
		}
		if standing, err = readStanding(content); err != nil {
			return standing, nil, false, err
		}
	}
	return standing, states, exists, wrap(rows.Err(), "read where a subject stands")
}

// scanMaybeState reads what comes first, and then a state of a left join: without a purpose when there is none.
func scanMaybeState(rows pgx.Rows, s *ConsentState, first ...any) error {
	var occurred, expires, updated *time.Time
	err := rows.Scan(append(first, &s.Purpose, &s.Seq, &s.Status, &s.Explicit, &s.SeparateFor, &s.By,
		&occurred, &expires, &s.Notice.ID, &s.Notice.Version, &updated)...)
	s.OccurredAt, s.ExpiresAt, s.UpdatedAt = timeOrZero(occurred), timeOrZero(expires), timeOrZero(updated)
	return err
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

// Evidence reads the sealed evidence of a record, with the slot of the key it is sealed under. KindNotFound when there is none.
func (s *Store) Evidence(ctx context.Context, id privacy.SubjectID, seq int32) (slot privacy.KeySlot, sealed []byte, err error) {
	err = s.pool.QueryRow(ctx, `SELECT s.key_slot, e.sealed FROM subject s JOIN consent_evidence e ON e.subject_id = s.subject_id WHERE s.subject_id = $1 AND s.erased_at IS NULL AND e.seq = $2`,
		[16]byte(id), seq).Scan(&slot, &sealed)
	if isNoRows(err) {
		return 0, nil, privacy.NotFound("evidence_not_found", "there is no evidence of that record")
	}
	return slot, sealed, wrap(err, "read evidence")
}

const selectConsentRecord = `
		SELECT seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at, recorded_by, recorded_at,
			notice_id, notice_version, notice_hash, locale, evidence_hash, prev_hash, hash, confirm_by, confirms
		FROM consent_record`

func scanConsentRecord(row pgx.CollectableRow) (ConsentRecord, error) {
	var r ConsentRecord
	var expires *time.Time
	var confirms *[16]byte
	err := row.Scan(&r.Seq, &r.ID, &r.Purpose, &r.Action, &r.Explicit, &r.SeparateFor, &r.By, &r.Channel, &r.Method,
		&r.OccurredAt, &expires, &r.RecordedBy, &r.RecordedAt, &r.Notice.ID, &r.Notice.Version, &r.NoticeHash, &r.Locale, &r.Evidence, &r.Prev, &r.Hash, &r.ConfirmBy, &confirms)
	r.ExpiresAt = timeOrZero(expires)
	if confirms != nil {
		r.Confirms = *confirms
	}
	return r, err
}

func scopeTexts(scopes []privacy.ConsentScope) []string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return texts
}
