package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Recipient is a processor that was told of what a request led to.
type Recipient struct {
	Processor      privacy.ProcessorID
	Name           string
	ToldAt         time.Time
	AcknowledgedAt time.Time // zero: not yet
	AcknowledgedBy string    // how: "callback", "poll" or "officer"
	EscalatedAt    time.Time
}

// Reached is what leads from a subject to the processors that know of them.
type Reached struct {
	Clients  []privacy.ClientID    // that something was disclosed to
	Purposes []privacy.PurposeName // on which the subject decided anything: processors for them were told of it
}

// Reached tells where data of subjects went.
func (s *Store) Reached(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]*Reached, error) {
	found := make(map[privacy.SubjectID]*Reached, len(subjects))
	for _, id := range subjects {
		found[id] = &Reached{}
	}
	var id privacy.SubjectID
	var name string
	for _, part := range []struct {
		sql  string
		take func(r *Reached)
	}{
		{`SELECT DISTINCT subject_id, client FROM audit_entry WHERE subject_id = ANY($1) AND action = 'disclosure'`, func(r *Reached) { r.Clients = append(r.Clients, privacy.ClientID(name)) }},
		{`SELECT DISTINCT e.subject_id, r.client FROM audit_run r, unnest(r.subject_ids) AS e (subject_id) WHERE r.subject_ids && $1 AND r.action = 'disclosure' AND e.subject_id = ANY($1)`,
			func(r *Reached) { r.Clients = append(r.Clients, privacy.ClientID(name)) }},
		{`SELECT DISTINCT subject_id, purpose FROM consent_record WHERE subject_id = ANY($1)`, func(r *Reached) { r.Purposes = append(r.Purposes, privacy.PurposeName(name)) }},
	} {
		rows, err := s.pool.Query(ctx, part.sql, subjectArray(subjects))
		if err != nil {
			return nil, wrap(err, "find out where data went")
		}
		if _, err := pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &name}, func() error { part.take(found[id]); return nil }); err != nil {
			return nil, wrap(err, "find out where data went")
		}
	}
	return found, nil
}

// NoteRecipient notes a processor that has to be told of what a request led to. Noting it again changes nothing.
func (w *Writes) NoteRecipient(id privacy.SubjectID, request privacy.RightsRequestID, processor privacy.ProcessorID, at time.Time) {
	w.queue(`INSERT INTO rights_recipient (subject_id, request_id, processor_id, told_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, [16]byte(id), [16]byte(request), [16]byte(processor), at)
}

// Recipients lists who has to be told of what a request led to.
func (s *Store) Recipients(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID) ([]Recipient, error) {
	rows, err := s.pool.Query(ctx, `SELECT r.processor_id, coalesce(p.name, ''), r.told_at, r.acknowledged_at, coalesce(r.acknowledged_by, ''), r.escalated_at
		FROM rights_recipient r LEFT JOIN processor p ON p.processor_id = r.processor_id WHERE r.subject_id = $1 AND r.request_id = $2 ORDER BY r.processor_id`, [16]byte(id), [16]byte(request))
	if err != nil {
		return nil, wrap(err, "read who has to be told")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Recipient, error) {
		var r Recipient
		var acknowledged, escalated *time.Time
		err := row.Scan((*[16]byte)(&r.Processor), &r.Name, &r.ToldAt, &acknowledged, &r.AcknowledgedBy, &escalated)
		r.AcknowledgedAt, r.EscalatedAt = timeOrZero(acknowledged), timeOrZero(escalated)
		return r, err
	})
	return list, wrap(err, "read who has to be told")
}

// Acknowledge notes that a processor has done what it was told. First is false when that was known, and left as it is.
func (t *Tx) Acknowledge(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID, processor privacy.ProcessorID, by string, at time.Time) (first bool, err error) {
	tag, err := t.tx.Exec(ctx, `UPDATE rights_recipient SET acknowledged_at = $4, acknowledged_by = $5
		WHERE subject_id = $1 AND request_id = $2 AND processor_id = $3 AND acknowledged_at IS NULL`, [16]byte(id), [16]byte(request), [16]byte(processor), at, by)
	return tag.RowsAffected() == 1, wrap(err, "note an acknowledgement")
}
