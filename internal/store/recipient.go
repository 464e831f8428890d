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
	EscalatedAt    time.Time // an officer was told that it does not confirm; zero: no need yet
	Telling        Telling
}

// Telling is how far the telling has come. It is zero for a processor that asks for its events itself.
type Telling struct {
	State    DeliveryState
	Attempts int
	TriedAt  time.Time // last
	Problem  string    // of the last attempt
}

// Reached is what leads from a subject to the processors that know of them.
type Reached struct {
	Clients  []privacy.ClientID    // that something was disclosed to
	Purposes []privacy.PurposeName // on which the subject decided anything: processors for them were told of it
}

// reachedByRuns looks each subject up in the index by themselves and leaves the lists of subjects alone: those are kept apart from their rows,
// a thousand long, and somebody who gets a letter a day is in hundreds of them a year.
const reachedByRuns = `SELECT DISTINCT s.id, r.client FROM unnest($1::uuid[]) AS s (id) JOIN audit_run r ON r.subject_ids @> ARRAY[s.id] WHERE r.action = 'disclosure'`

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
		{reachedByRuns, func(r *Reached) { r.Clients = append(r.Clients, privacy.ClientID(name)) }},
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

const selectRecipients = `SELECT r.subject_id, r.processor_id, coalesce(p.name, ''), r.told_at, r.acknowledged_at, coalesce(r.acknowledged_by, ''), r.escalated_at
	FROM rights_recipient r LEFT JOIN processor p ON p.processor_id = r.processor_id WHERE `

// Recipients lists who has to be told of what a request led to.
func (s *Store) Recipients(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID) ([]Recipient, error) {
	found, err := s.recipients(ctx, `r.subject_id = $1 AND r.request_id = $2`, [16]byte(id), [16]byte(request))
	return found[id], err
}

// RecipientsOf lists who has to be told of erasures, by subject.
func (s *Store) RecipientsOf(ctx context.Context, erasures []Erasure) (map[privacy.SubjectID][]Recipient, error) {
	return s.recipients(ctx, `(r.subject_id, r.request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`, erasedSubjects(erasures), erasureRequests(erasures))
}

func (s *Store) recipients(ctx context.Context, where string, args ...any) (map[privacy.SubjectID][]Recipient, error) {
	rows, err := s.pool.Query(ctx, selectRecipients+where+` ORDER BY r.processor_id`, args...)
	if err != nil {
		return nil, wrap(err, "read who has to be told")
	}
	found := make(map[privacy.SubjectID][]Recipient)
	var id privacy.SubjectID
	var r Recipient
	var acknowledged, escalated *time.Time
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), (*[16]byte)(&r.Processor), &r.Name, &r.ToldAt, &acknowledged, &r.AcknowledgedBy, &escalated}, func() error {
		r.AcknowledgedAt, r.EscalatedAt = timeOrZero(acknowledged), timeOrZero(escalated)
		found[id] = append(found[id], r)
		return nil
	})
	return found, wrap(err, "read who has to be told")
}

// Tellings reads how far the telling of what a request led to has come.
func (s *Store) Tellings(ctx context.Context, request privacy.RightsRequestID, processors []privacy.ProcessorID) (map[privacy.ProcessorID]Telling, error) {
	rows, err := s.pool.Query(ctx, `SELECT d.processor_id, d.state, d.attempts, d.updated_at, d.problem FROM change_log c JOIN delivery d ON d.index = c.index
		WHERE c.change_id = $1 AND d.processor_id = ANY($2)`, [16]byte(request), uuids(processors))
	if err != nil {
		return nil, wrap(err, "read what was told")
	}
	tellings := make(map[privacy.ProcessorID]Telling)
	var id privacy.ProcessorID
	var t Telling
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &t.State, &t.Attempts, &t.TriedAt, &t.Problem}, func() error { tellings[id] = t; return nil })
	return tellings, wrap(err, "read what was told")
}
