package store

import (
	"bytes"
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
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
	Answers  []Answered            // to those who asked for something of the subject
	Purposes []privacy.PurposeName // on which the subject decided anything: processors for them were told of it
}

// Answered is a client with the decision by which it was answered; a zero one is not known.
type Answered struct {
	Client   privacy.ClientID
	Decision audit.Hash
}

// reachedByRuns looks each subject up in the index by themselves and leaves the lists of subjects alone: those are kept apart from their rows,
// a thousand long, and somebody who gets a letter a day is in hundreds of them a year. Which of a run's decisions is the subject's is in
// such a list; so who asked for a long list counts as having got something of each who is on it.
const reachedByRuns = `SELECT DISTINCT s.id, r.client, NULL::bytea FROM unnest($1::uuid[]) AS s (id) JOIN audit_run r ON r.subject_ids @> ARRAY[s.id] WHERE r.action = 'disclosure'`

// Reached tells where data of subjects may have gone.
func (s *Store) Reached(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]*Reached, error) {
	found := make(map[privacy.SubjectID]*Reached, len(subjects))
	for _, id := range subjects {
		found[id] = &Reached{}
	}
	var id privacy.SubjectID
	var name string
	var hash []byte
	answered := func(r *Reached) {
		answer := Answered{Client: privacy.ClientID(name)}
		copy(answer.Decision[:], hash)
		r.Answers = append(r.Answers, answer)
	}
	for _, part := range []struct {
		sql  string
		take func(r *Reached)
	}{
		{`SELECT DISTINCT subject_id, client, decision_hash FROM audit_entry WHERE subject_id = ANY($1) AND action = 'disclosure' AND decision_hash IS NOT NULL`, answered},
		{reachedByRuns, answered},
		{`SELECT DISTINCT subject_id, purpose, NULL::bytea FROM consent_record WHERE subject_id = ANY($1)`, func(r *Reached) { r.Purposes = append(r.Purposes, privacy.PurposeName(name)) }},
	} {
		rows, err := s.pool.Query(ctx, part.sql, subjectArray(subjects))
		if err != nil {
			return nil, wrap(err, "find out where data went")
		}
		if _, err := pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &name, &hash}, func() error { part.take(found[id]); return nil }); err != nil {
			return nil, wrap(err, "find out where data went")
		}
	}
	return found, nil
}

// Outcomes reads what came of decisions, as JSON.
func (s *Store) Outcomes(ctx context.Context, decisions []audit.Hash) (map[audit.Hash][]byte, error) {
	if len(decisions) == 0 {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT hash, outcome FROM decision WHERE hash = ANY($1)`, column(decisions, func(h *audit.Hash) []byte { return h[:] }))
	if err != nil {
		return nil, wrap(err, "read decisions")
	}
	outcomes := make(map[audit.Hash][]byte, len(decisions))
	var hash, outcome []byte
	_, err = pgx.ForEachRow(rows, []any{&hash, &outcome}, func() error { outcomes[audit.Hash(hash)] = bytes.Clone(outcome); return nil })
	return outcomes, wrap(err, "read decisions")
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
