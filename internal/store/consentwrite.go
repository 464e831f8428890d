package store

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

type recordRow struct {
	subject privacy.SubjectID
	ConsentRecord
}

type stateRow struct {
	subject privacy.SubjectID
	ConsentState
}

// AppendConsent adds a record to a locked subject's ledger, under the number that follows.
func (w *Writes) AppendConsent(id privacy.SubjectID, r *ConsentRecord) {
	w.records = append(w.records, recordRow{id, *r})
}

// PutConsentState replaces the state of a locked subject on a purpose.
func (w *Writes) PutConsentState(id privacy.SubjectID, s *ConsentState) {
	row := stateRow{id, *s}
	same := func(earlier stateRow) bool { return earlier.subject == id && earlier.Purpose == s.Purpose }
	if i := slices.IndexFunc(w.states, same); i >= 0 { // one statement does not replace a row twice
		w.states[i] = row
		return
	}
	w.states = append(w.states, row)
}

// Scopes travel as one text for each row, because unnest would flatten an array of arrays; no scope holds a comma.
func joinScopes(scopes []privacy.ConsentScope) string { return strings.Join(scopeTexts(scopes), ",") }

func queueRecords(b *pgx.Batch, rows []recordRow) {
	if len(rows) == 0 {
		return
	}
	text := func(value func(*recordRow) string) []string { return column(rows, value) }
	bytes := func(value func(*recordRow) []byte) [][]byte { return column(rows, value) }
	b.Queue(`
		INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at,
			recorded_by, recorded_at, notice_id, notice_version, notice_hash, locale, evidence_hash, prev_hash, hash, confirm_by, confirms)
		SELECT subject_id, seq, record_id, purpose, action, explicit, string_to_array(separate_for, ','), given_by, channel, method, occurred_at, expires_at,
			recorded_by, recorded_at, notice_id, notice_version, notice_hash, locale, evidence_hash, prev_hash, hash, confirm_by, confirms
		FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[],
			$12::timestamptz[], $13::text[], $14::timestamptz[], $15::text[], $16::integer[], $17::bytea[], $18::text[], $19::bytea[], $20::bytea[], $21::bytea[], $22::text[], $23::uuid[])
			AS r (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at,
				recorded_by, recorded_at, notice_id, notice_version, notice_hash, locale, evidence_hash, prev_hash, hash, confirm_by, confirms)`,
		subjectColumn(rows, func(r *recordRow) [16]byte { return r.subject }),
		column(rows, func(r *recordRow) int32 { return r.Seq }),
		subjectColumn(rows, func(r *recordRow) [16]byte { return r.ID }),
		text(func(r *recordRow) string { return string(r.Purpose) }),
		text(func(r *recordRow) string { return string(r.Action) }),
		column(rows, func(r *recordRow) bool { return r.Explicit }),
		text(func(r *recordRow) string { return joinScopes(r.SeparateFor) }),
		text(func(r *recordRow) string { return string(r.By) }),
		text(func(r *recordRow) string { return r.Channel }),
		text(func(r *recordRow) string { return r.Method }),
		column(rows, func(r *recordRow) time.Time { return r.OccurredAt }),
		column(rows, func(r *recordRow) *time.Time { return nullTime(r.ExpiresAt) }),
		text(func(r *recordRow) string { return string(r.RecordedBy) }),
		column(rows, func(r *recordRow) time.Time { return r.RecordedAt }),
		text(func(r *recordRow) string { return r.Notice.ID }),
		column(rows, func(r *recordRow) int32 { return r.Notice.Version }),
		bytes(func(r *recordRow) []byte { return r.NoticeHash }),
		text(func(r *recordRow) string { return r.Locale }),
		bytes(func(r *recordRow) []byte { return r.Evidence }),
		bytes(func(r *recordRow) []byte { return r.Prev }),
		bytes(func(r *recordRow) []byte { return r.Hash }),
		text(func(r *recordRow) string { return r.ConfirmBy }),
		subjectColumn(rows, func(r *recordRow) [16]byte { return r.Confirms }))
}

func queueStates(b *pgx.Batch, rows []stateRow) {
	if len(rows) == 0 {
		return
	}
	text := func(value func(*stateRow) string) []string { return column(rows, value) }
	b.Queue(`
		INSERT INTO consent_state (subject_id, purpose, seq, status, explicit, separate_for, given_by, occurred_at, expires_at, notice_id, notice_version, updated_at)
		SELECT subject_id, purpose, seq, status, explicit, string_to_array(separate_for, ','), given_by, occurred_at, expires_at, notice_id, notice_version, updated_at
		FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::integer[], $12::timestamptz[])
			AS s (subject_id, purpose, seq, status, explicit, separate_for, given_by, occurred_at, expires_at, notice_id, notice_version, updated_at)
		ON CONFLICT (subject_id, purpose) DO UPDATE SET seq = excluded.seq, status = excluded.status, explicit = excluded.explicit,
			separate_for = excluded.separate_for, given_by = excluded.given_by, occurred_at = excluded.occurred_at,
			expires_at = excluded.expires_at, notice_id = excluded.notice_id, notice_version = excluded.notice_version, updated_at = excluded.updated_at`,
		subjectColumn(rows, func(s *stateRow) [16]byte { return s.subject }),
		text(func(s *stateRow) string { return string(s.Purpose) }),
		column(rows, func(s *stateRow) int32 { return s.Seq }),
		text(func(s *stateRow) string { return string(s.Status) }),
		column(rows, func(s *stateRow) bool { return s.Explicit }),
		text(func(s *stateRow) string { return joinScopes(s.SeparateFor) }),
		text(func(s *stateRow) string { return string(s.By) }),
		column(rows, func(s *stateRow) time.Time { return s.OccurredAt }),
		column(rows, func(s *stateRow) *time.Time { return nullTime(s.ExpiresAt) }),
		text(func(s *stateRow) string { return s.Notice.ID }),
		column(rows, func(s *stateRow) int32 { return s.Notice.Version }),
		column(rows, func(s *stateRow) time.Time { return s.UpdatedAt }))
}
