package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// NoteRecipient notes a processor that has to be told of what a request led to. Noting it again changes nothing.
func (w *Writes) NoteRecipient(id privacy.SubjectID, request privacy.RightsRequestID, processor privacy.ProcessorID, at time.Time) {
	w.queue(`INSERT INTO rights_recipient (subject_id, request_id, processor_id, told_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, [16]byte(id), [16]byte(request), [16]byte(processor), at)
}

// CountOrder counts an order about a subject. What has been done by then is in force; whoever was disclosed to before, and nobody who will have been
// by the old state of things, is found by reading the record after it ([Store.CommitAudit]).
func (s *Store) CountOrder(ctx context.Context, id privacy.SubjectID) error {
	_, err := s.pool.Exec(ctx, `UPDATE subject SET orders = orders + 1 WHERE subject_id = $1`, [16]byte(id))
	return wrap(err, "count an order about a subject")
}

// NoteRecipients notes processors that have to be told of erasures, as pairs. Noting them again changes nothing.
func (w *Writes) NoteRecipients(erasures []Erasure, processors []privacy.ProcessorID, at time.Time) {
	if len(erasures) == 0 {
		return
	}
	w.queue(`INSERT INTO rights_recipient (subject_id, request_id, processor_id, told_at) SELECT r.subject_id, r.request_id, r.processor_id, $4
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS r (subject_id, request_id, processor_id) ON CONFLICT DO NOTHING`,
		erasedSubjects(erasures), erasureRequests(erasures), column(processors, func(p *privacy.ProcessorID) [16]byte { return *p }), at)
}

// notedFor tells which of the events that follow from requests one of the processors has to be told of.
func notedFor(ctx context.Context, q querier, events []Logged, processors ...privacy.ProcessorID) (map[[16]byte]bool, error) {
	var subjects, requests [][16]byte
	for i := range events {
		if events[i].Kind.FollowsRequest() {
			subjects, requests = append(subjects, [16]byte(events[i].Subject)), append(requests, events[i].ID)
		}
	}
	if len(requests) == 0 || len(processors) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `SELECT DISTINCT request_id FROM rights_recipient WHERE subject_id = ANY($1) AND request_id = ANY($2) AND processor_id = ANY($3)`, subjects, requests, uuids(processors))
	if err != nil {
		return nil, wrap(err, "find out who has to be told")
	}
	noted := make(map[[16]byte]bool)
	var request [16]byte
	_, err = pgx.ForEachRow(rows, []any{&request}, func() error { noted[request] = true; return nil })
	return noted, wrap(err, "find out who has to be told")
}

// NotedFor tells which of the events that follow from requests one of the processors has to be told of, by the events' names.
func (s *Store) NotedFor(ctx context.Context, events []Logged, processors ...privacy.ProcessorID) (map[[16]byte]bool, error) {
	return notedFor(ctx, s.pool, events, processors...)
}

// Owed is what a processor has been told of a request and may not have confirmed.
type Owed struct {
	Subject   privacy.SubjectID
	Request   privacy.RightsRequestID
	Processor privacy.ProcessorID
	ToldAt    time.Time
}

func scanOwed(row pgx.CollectableRow) (o Owed, err error) {
	return o, row.Scan((*[16]byte)(&o.Subject), (*[16]byte)(&o.Request), (*[16]byte)(&o.Processor), &o.ToldAt)
}

// OwedBy finds the requests of those named that one of the processors was told of, by subject, confirmed or not.
func (s *Store) OwedBy(ctx context.Context, processors []privacy.ProcessorID, requests []privacy.RightsRequestID) ([]Owed, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.subject_id, t.request_id, t.processor_id, t.told_at FROM rights_request r JOIN rights_recipient t ON t.subject_id = r.subject_id AND t.request_id = r.request_id
		WHERE r.request_id = ANY($1) AND t.processor_id = ANY($2) ORDER BY t.subject_id, t.request_id, t.processor_id`, uuids(requests), uuids(processors))
	if err != nil {
		return nil, wrap(err, "find what was told")
	}
	list, err := pgx.CollectRows(rows, scanOwed)
	return list, wrap(err, "find what was told")
}

// Owing lists what was told until a time and is not confirmed, behind the last of a list before, what was told first coming first; escalated or
// not, or only what was not.
func (s *Store) Owing(ctx context.Context, toldBy time.Time, quiet bool, after Owed, limit int) ([]Owed, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, request_id, processor_id, told_at FROM rights_recipient
		WHERE acknowledged_at IS NULL AND told_at <= $1 AND (escalated_at IS NULL OR NOT $2) AND told_at >= $3 AND (told_at, subject_id, request_id, processor_id) > ($3, $4, $5, $6)
		ORDER BY told_at, subject_id, request_id, processor_id LIMIT $7`, toldBy, quiet, after.ToldAt, [16]byte(after.Subject), [16]byte(after.Request), [16]byte(after.Processor), limit)
	if err != nil {
		return nil, wrap(err, "find who has not confirmed")
	}
	list, err := pgx.CollectRows(rows, scanOwed)
	return list, wrap(err, "find who has not confirmed")
}

// Acknowledge notes that a processor has done what it was told. First is false when that was known, and left as it is.
func (t *Tx) Acknowledge(ctx context.Context, o Owed, by string, at time.Time) (first bool, err error) {
	tag, err := t.tx.Exec(ctx, `UPDATE rights_recipient SET acknowledged_at = $4, acknowledged_by = $5
		WHERE subject_id = $1 AND request_id = $2 AND processor_id = $3 AND acknowledged_at IS NULL`, [16]byte(o.Subject), [16]byte(o.Request), [16]byte(o.Processor), at, by)
	return tag.RowsAffected() == 1, wrap(err, "note an acknowledgement")
}

// Escalate notes that an officer was told of a processor that does not confirm. First is false when that was noted before, or the processor
// has confirmed meanwhile.
func (t *Tx) Escalate(ctx context.Context, o Owed, at time.Time) (first bool, err error) {
	tag, err := t.tx.Exec(ctx, `UPDATE rights_recipient SET escalated_at = $4
		WHERE subject_id = $1 AND request_id = $2 AND processor_id = $3 AND acknowledged_at IS NULL AND escalated_at IS NULL`, [16]byte(o.Subject), [16]byte(o.Request), [16]byte(o.Processor), at)
	return tag.RowsAffected() == 1, wrap(err, "note an escalation")
}

// TellAgain takes up again the deliveries to a processor of what requests led to, of which nothing was heard since a time: those it has
// accepted without confirming, and those that were given up. It reports whether there are any.
func (t *Tx) TellAgain(ctx context.Context, processor privacy.ProcessorID, requests []privacy.RightsRequestID, quietSince, at time.Time) (bool, error) {
	tag, err := t.tx.Exec(ctx, `UPDATE delivery d SET state = 'pending', refusals = 0, failing_since = NULL, next_at = $4, updated_at = $4
		FROM change_log c WHERE c.change_id = ANY($2) AND c.index = d.index AND d.processor_id = $1 AND d.state <> 'pending' AND d.updated_at <= $3`,
		[16]byte(processor), uuids(requests), quietSince, at)
	return tag.RowsAffected() > 0, wrap(err, "tell again")
}
