package store

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// personReader gathers the rows of each person: one for each purpose, or a single one without.
type personReader struct {
	rows   pgx.Rows
	person *Person
	more   func(row [][]byte) // reads what stands behind the consent; nil: nothing does
	ahead  bool               // the current row is of the next person
	err    error
}

// readPeople reads people in the order of their ids into one and the same result, of which hold says where the person is and
// what else is read.
func readPeople[P any](ctx context.Context, s *Store, doing, sql string, args []any, hold func(*P) (*Person, func(row [][]byte))) iter.Seq2[*P, error] {
	return func(yield func(*P, error) bool) {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			yield(nil, wrap(err, doing))
			return
		}
		defer rows.Close()
		result, reader := new(P), personReader{rows: rows}
		reader.person, reader.more = hold(result)
		for reader.next() {
			if !yield(result, nil) {
				return
			}
		}
		if err := wrap(reader.err, doing); err != nil {
			yield(nil, err)
		}
	}
}

// next moves on to another person.
func (r *personReader) next() bool {
	if !r.ahead && !r.rows.Next() {
		r.err = r.rows.Err()
		return false
	}
	r.ahead = false
	if r.err = r.begin(r.rows.RawValues()); r.err != nil {
		return false
	}
	for {
		if r.err = r.consent(r.rows.RawValues()); r.err != nil {
			return false
		}
		if !r.rows.Next() {
			r.err = r.rows.Err()
			return r.err == nil
		}
		if privacy.SubjectID(r.rows.RawValues()[colSubject]) != r.person.Subject.ID {
			r.ahead = true
			return true
		}
	}
}

func (r *personReader) begin(row [][]byte) (err error) {
	p := r.person
	p.Consents = p.Consents[:0]
	p.Subject = Subject{ID: privacy.SubjectID(row[colSubject]), Slot: privacy.KeySlot(rawInt64(row[colSlot])),
		Version: uint32(rawInt64(row[colVersion])), State: append(p.Subject.State[:0], row[colSealed]...)} //nolint:gosec // bounded by a check constraint
	if r.more != nil {
		r.more(row)
	}
	p.Subject.Standing, err = readStanding(row[colStanding])
	return err
}

func (r *personReader) consent(row [][]byte) error {
	if row[colPurpose] == nil {
		return nil
	}
	p := r.person
	p.Consents = append(p.Consents, ConsentState{Purpose: privacy.PurposeName(row[colPurpose])})
	return readConsent(r.rows, row, &p.Consents[len(p.Consents)-1])
}
