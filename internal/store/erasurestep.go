package store

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// The steps of erasures, each written for any number of people at once: the server spends more on a statement than on a row. Several
// processes may lead the same erasure; a row moves from a step to the next once, and whoever moves it does what the step is about.

// MarkErased stops all reads of locked subjects: from the commit on they are erased, and their identifiers find nobody and are
// suppressed. What was to be sent to them is cancelled, and segments count them no more; change names the event that says so.
func (w *Writes) MarkErased(erasures []Erasure, change [16]byte) {
	if len(erasures) == 0 {
		return
	}
	ids := erasedSubjects(erasures)
	marked := column(erasures, func(e *Erasure) time.Time { return e.MarkedAt })
	w.queue(`UPDATE subject s SET erased_at = coalesce(s.erased_at, e.at), updated_at = e.at, orders = s.orders + 1, facets = NULL, facets_version = s.facets_version + 1
		FROM unnest($1::uuid[], $2::timestamptz[]) AS e (id, at) WHERE s.subject_id = e.id`, ids, marked)
	w.queue(`DELETE FROM message WHERE subject_id = ANY($1)`, ids)
	w.queue(`DELETE FROM confirmation WHERE subject_id = ANY($1)`, ids)
	w.queue(`INSERT INTO erasure (subject_id, request_id, step, key_slot, tombstone, hashes, marked_at, entries)
		SELECT e.subject_id, e.request_id, 'marked', e.key_slot, e.tombstone, e.hashes, e.at, string_to_array(e.entries, ',')
		FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::bytea[], $6::timestamptz[], $7::text[]) AS e (subject_id, request_id, key_slot, tombstone, hashes, at, entries)
		ON CONFLICT DO NOTHING`, ids, erasureRequests(erasures), column(erasures, func(e *Erasure) int64 { return int64(e.Slot) }), column(erasures, func(e *Erasure) [16]byte { return e.Tombstone }),
		column(erasures, func(e *Erasure) []byte { return packKeys(e.Hashes) }), marked, column(erasures, func(e *Erasure) string { return strings.Join(e.Entries, ",") }))
	w.suppress(erasures)
	w.AppendChange(privacy.Event{ID: change, Kind: privacy.EventSubjectsChanged, At: erasures[0].MarkedAt, Detail: privacy.EventDetail{Subjects: ids}})
}

func erasedSubjects(erasures []Erasure) subjectArray {
	return subjectColumn(erasures, func(e *Erasure) [16]byte { return e.Subject })
}

func erasureRequests(erasures []Erasure) [][16]byte {
	return column(erasures, func(e *Erasure) [16]byte { return e.Request })
}

// ReleaseIdentifiers lets identifiers find nobody any more.
func (w *Writes) ReleaseIdentifiers(keys []IdentifierKey) {
	types, indexes := splitKeys(keys)
	w.queue(`DELETE FROM identifier WHERE (type, blind_index) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, indexes)
}

// NoteBuried moves erasures on that the keyring knows of. From then on nothing here ties the marks of their identifiers to them.
func (s *Store) NoteBuried(ctx context.Context, subjects []privacy.SubjectID) error {
	_, err := s.pool.Exec(ctx, `UPDATE erasure SET step = 'buried', hashes = '' WHERE subject_id = ANY($1) AND step = 'marked'`, subjectArray(subjects))
	return wrap(err, "note a step of an erasure")
}

// PageGone stands for the version of a page of which nothing was left when the keys on it were to be taken away.
const PageGone = 0

// NotePunctured moves erasures on whose key is gone from the given version of its page, or with it.
func (s *Store) NotePunctured(ctx context.Context, subjects []privacy.SubjectID, pageVersion int, at time.Time) error {
	_, err := s.pool.Exec(ctx, `UPDATE erasure SET step = 'punctured', page_version = $2, punctured_at = $3 WHERE subject_id = ANY($1) AND step = 'buried'`, subjectArray(subjects), int64(pageVersion), at)
	return wrap(err, "note a step of an erasure")
}

// TakeErasures moves erasures on within the transaction, and gives those that were at the step before: what another has taken is left to it.
func (t *Tx) TakeErasures(ctx context.Context, erasures []Erasure, from, to ErasureStep) ([]Erasure, error) {
	rows, err := t.tx.Query(ctx, `UPDATE erasure SET step = $3 WHERE subject_id = ANY($1) AND step = $2 RETURNING subject_id`, erasedSubjects(erasures), from, to)
	if err != nil {
		return nil, wrap(err, "take a step of erasures")
	}
	moved, err := collectSubjects(rows)
	if err != nil {
		return nil, wrap(err, "take a step of erasures")
	}
	return among(erasures, moved), nil
}

func collectSubjects(rows pgx.Rows) (map[privacy.SubjectID]bool, error) {
	ids := make(map[privacy.SubjectID]bool)
	var id privacy.SubjectID
	_, err := pgx.ForEachRow(rows, []any{(*[16]byte)(&id)}, func() error { ids[id] = true; return nil })
	return ids, err
}

func among(erasures []Erasure, ids map[privacy.SubjectID]bool) []Erasure {
	var found []Erasure
	for i := range erasures {
		if ids[erasures[i].Subject] {
			found = append(found, erasures[i])
		}
	}
	return found
}

// NoteDeleted keeps what was deleted in erasures, with the audit entry that tells of each.
func (w *Writes) NoteDeleted(erasures []Erasure, at time.Time) {
	w.queue(`UPDATE erasure e SET erased = d.erased, deleted_at = $4, entries = string_to_array(d.entries, ',')
		FROM unnest($1::uuid[], $2::jsonb[], $3::text[]) AS d (subject_id, erased, entries) WHERE e.subject_id = d.subject_id AND e.step = 'deleted'`,
		erasedSubjects(erasures), column(erasures, func(e *Erasure) []byte {
			content, _ := json.Marshal(e.Erased) // numbers: it always encodes
			return content
		}), column(erasures, func(e *Erasure) string { return strings.Join(e.Entries, ",") }), at)
}

// AwaitProcessors notes that requests wait for those who were told.
func (w *Writes) AwaitProcessors(erasures []Erasure, at time.Time) {
	if len(erasures) == 0 {
		return
	}
	w.queue(`UPDATE rights_request r SET state = 'awaiting_processors', version = r.version + 1, updated_at = $3
		FROM unnest($1::uuid[], $2::uuid[]) AS e (subject_id, request_id) WHERE r.subject_id = e.subject_id AND r.request_id = e.request_id AND r.state = 'in_progress'`,
		erasedSubjects(erasures), erasureRequests(erasures), at)
}

// Certify ends erasures with their certificates, which stand in the same order, and completes their requests. It gives those that it
// has ended: another may have been quicker.
func (t *Tx) Certify(ctx context.Context, erasures []Erasure, certificates []string, at time.Time) ([]Erasure, error) {
	rows, err := t.tx.Query(ctx, `UPDATE erasure e SET step = 'certified', certificate = c.certificate, certified_at = $4
		FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS c (subject_id, request_id, certificate)
		WHERE e.subject_id = c.subject_id AND e.request_id = c.request_id AND e.step = 'told' RETURNING e.subject_id`, erasedSubjects(erasures), erasureRequests(erasures), certificates, at)
	if err != nil {
		return nil, wrap(err, "certify erasures")
	}
	moved, err := collectSubjects(rows)
	if err != nil {
		return nil, wrap(err, "certify erasures")
	}
	ended := among(erasures, moved)
	_, err = t.tx.Exec(ctx, `UPDATE rights_request r SET state = 'completed', version = r.version + 1, updated_at = $3, closed_at = $3
		FROM unnest($1::uuid[], $2::uuid[]) AS e (subject_id, request_id) WHERE r.subject_id = e.subject_id AND r.request_id = e.request_id AND r.closed_at IS NULL`,
		erasedSubjects(ended), erasureRequests(ended), at)
	return ended, wrap(err, "complete requests")
}

// NoSlot is before all slots.
const NoSlot privacy.KeySlot = -1

// ErasuresOnGonePages lists erasures whose page was gone, and has not been seen to be back, after a slot, in the order of their slots.
func (s *Store) ErasuresOnGonePages(ctx context.Context, after privacy.KeySlot, limit int) ([]Erasure, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+erasureColumns+` FROM erasure WHERE page_version = 0 AND key_slot > $1 ORDER BY key_slot LIMIT $2`, int64(after), limit)
	if err != nil {
		return nil, wrap(err, "read erasures")
	}
	list, err := pgx.CollectRows(rows, scanErasure)
	return list, wrap(err, "read erasures")
}

// NoteReturned notes that the key of an erasure came back with its page, and is gone from the given version on; false when another has noted it. A certificate
// that was handed out keeps its time.
func (t *Tx) NoteReturned(ctx context.Context, e Erasure, pageVersion int, at time.Time) (bool, error) {
	tag, err := t.tx.Exec(ctx, `UPDATE erasure SET page_version = $3, punctured_at = CASE WHEN certificate IS NULL THEN $4 ELSE punctured_at END
		WHERE subject_id = $1 AND request_id = $2 AND page_version = 0`, [16]byte(e.Subject), [16]byte(e.Request), int64(pageVersion), at)
	return tag.RowsAffected() == 1, wrap(err, "note a step of an erasure")
}
