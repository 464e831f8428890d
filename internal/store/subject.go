package store

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Subject is the row of one person: the key slot, and the sealed policy state whose seal
// carries Version.
type Subject struct {
	ID       privacy.SubjectID
	Slot     privacy.KeySlot
	Version  uint32
	State    []byte
	Standing privacy.Standing // written by PutStanding alone
	Erased   bool             // nothing of them may be read or written any more
	Orders   int32            // about them, so far; only [Store.ReadForDisclosure] reads it
}

// NextSlots draws n fresh key slots. A slot is never given out twice.
func (s *Store) NextSlots(ctx context.Context, n int) ([]privacy.KeySlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT nextval('subject_key_slot') FROM generate_series(1, $1::integer)`, n)
	if err != nil {
		return nil, wrap(err, "draw key slots")
	}
	slots, err := pgx.CollectRows(rows, pgx.RowTo[privacy.KeySlot])
	return slots, wrap(err, "draw key slots")
}

// LockSubject reads a subject and holds it until the transaction ends, so that writes to
// one subject follow each other. KindNotFound when there is none, or when they are erased.
func (t *Tx) LockSubject(ctx context.Context, id privacy.SubjectID) (Subject, error) {
	subject, err := t.LockAnySubject(ctx, id)
	if err == nil && subject.Erased {
		return Subject{}, ErrErased
	}
	return subject, err
}

var (
	// ErrErased is given where a subject was erased, or is about to be.
	ErrErased = privacy.NotFound("subject_erased", "this subject has been erased")
	// ErrNoSubject is given where there is no such subject.
	ErrNoSubject = privacy.NotFound("subject_not_found", "there is no such subject")
)

// LockAnySubject is [Tx.LockSubject] for what goes on with a subject after their erasure, too.
func (t *Tx) LockAnySubject(ctx context.Context, id privacy.SubjectID) (Subject, error) {
	var subject Subject
	err := scanSubject(t.tx.QueryRow(ctx, lockSubject, [16]byte(id)), &subject)
	if isNoRows(err) {
		return Subject{}, ErrNoSubject
	}
	return subject, wrap(err, "lock a subject")
}

// SlotsOf reads the key slots of subjects. Those who are not there are left out.
func (s *Store) SlotsOf(ctx context.Context, ids []privacy.SubjectID) (map[privacy.SubjectID]privacy.KeySlot, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject_id, key_slot FROM subject WHERE subject_id = ANY($1)`, subjectArray(ids))
	if err != nil {
		return nil, wrap(err, "read key slots")
	}
	slots := make(map[privacy.SubjectID]privacy.KeySlot, len(ids))
	var id privacy.SubjectID
	var slot privacy.KeySlot
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &slot}, func() error { slots[id] = slot; return nil })
	return slots, wrap(err, "read key slots")
}

// LockSubjects locks subjects, and gives those who are there and not erased, by id. They are locked in the order of their ids, so that two who
// lock many do not wait for each other, and each by a statement of its own that goes to one shard.
func (t *Tx) LockSubjects(ctx context.Context, ids []privacy.SubjectID) (map[privacy.SubjectID]Subject, error) {
	sorted := slices.SortedFunc(slices.Values(ids), func(a, b privacy.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	found := make(map[privacy.SubjectID]Subject, len(sorted))
	batch := &pgx.Batch{}
	for _, id := range slices.Compact(sorted) {
		batch.Queue(lockSubject, [16]byte(id)).QueryRow(func(row pgx.Row) error {
			var subject Subject
			err := scanSubject(row, &subject)
			if isNoRows(err) {
				return nil
			}
			if err == nil && !subject.Erased {
				found[id] = subject
			}
			return err
		})
	}
	return found, wrap(t.tx.SendBatch(ctx, batch).Close(), "lock subjects")
}

const (
	selectSubject = `SELECT subject_id, key_slot, version, state, ` + selectStanding + `, erased_at IS NOT NULL FROM subject s`
	lockSubject   = selectSubject + ` WHERE subject_id = $1 FOR UPDATE`
)

func scanSubject(row pgx.Row, subject *Subject) (err error) {
	var version int64
	var standing []byte
	if err = row.Scan((*[16]byte)(&subject.ID), &subject.Slot, &version, &subject.State, &standing, &subject.Erased); err != nil {
		return err
	}
	subject.Version = uint32(version) //nolint:gosec // bounded by a check constraint
	subject.Standing, err = readStanding(standing)
	return err
}

// UpdateSubject writes a subject's new state under its next version.
func (t *Tx) UpdateSubject(ctx context.Context, subject Subject, at time.Time) error {
	tag, err := t.tx.Exec(ctx, `UPDATE subject SET version = $2, state = $3, updated_at = $4 WHERE subject_id = $1 AND version = $2::bigint - 1`,
		[16]byte(subject.ID), int64(subject.Version), subject.State, at)
	if err == nil && tag.RowsAffected() != 1 {
		return privacy.Conflict("version_conflict", "the subject has changed meanwhile; read it again")
	}
	return wrap(err, "update a subject")
}

// NewSubject is a subject to be created with everything known about it.
type NewSubject struct {
	Subject     Subject
	Facets      Facets
	Identifiers []Identifier
	Values      []Value
}

// InsertSubjects writes new subjects with their identifiers' sealed forms and values, by COPY.
func (t *Tx) InsertSubjects(ctx context.Context, subjects []NewSubject, at time.Time) error {
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"subject"},
		[]string{"subject_id", "key_slot", "version", "state", "facets", "facets_version", "created_at", "updated_at"},
		pgx.CopyFromSlice(len(subjects), func(i int) ([]any, error) {
			s := &subjects[i].Subject
			facets := &subjects[i].Facets
			return []any{[16]byte(s.ID), int64(s.Slot), int64(s.Version), s.State, facets.Sealed, int64(facets.Version), at, at}, nil
		}))
	if err != nil {
		return wrap(err, "insert subjects")
	}
	if err := t.copyIdentifiers(ctx, subjects, at); err != nil {
		return err
	}
	return t.copyValues(ctx, subjects, at)
}
