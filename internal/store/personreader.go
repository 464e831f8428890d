package store

import (
	"context"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

func (r SubjectRange) args() []any { return []any{[16]byte(r.After), [16]byte(r.To)} }

// selectPeople reads people and their consents, in the order of their ids: each person's row and those of their consents together, in no order
// among themselves. They share a shard and a snapshot, and are not joined, so that what is wide comes once; both tables
// are read along their primary keys. Who is a condition on both tables, living whether those who were erased are left out, and more
// further columns of the subject, which come last. The columns stand where selectSnapshots has them, but for the purpose.
func selectPeople(who string, living bool, more ...string) string {
	columns, nulls := "", strings.Repeat(", NULL", len(more))
	for _, column := range more {
		columns += ", " + column
	}
	subjects := who
	if living {
		subjects += ` AND erased_at IS NULL`
	}
	return `
	SELECT s.subject_id, NULL::text AS purpose, s.version, s.state, s.key_slot, ` + selectStanding + `,
		NULL::text, NULL::boolean, NULL::text[], NULL::text, NULL::timestamptz, NULL::timestamptz, NULL::integer` + columns + `
	FROM subject s
	WHERE ` + subjects + `
	UNION ALL
	SELECT subject_id, purpose, NULL, NULL, NULL, NULL,
		status, explicit, separate_for, given_by, occurred_at, expires_at, notice_version` + nulls + `
	FROM consent_state
	WHERE ` + who + `
	ORDER BY 1`
}

const colPurpose = colAttribute

// personReader gathers the rows of each person.
type personReader struct {
	rows     pgx.Rows
	person   *Person
	more     func(row [][]byte) // reads what stands behind the consent; nil: nothing does
	ahead    bool               // the current row is of the next person
	purposes map[string]privacy.PurposeName
	err      error
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
		result, reader := new(P), personReader{rows: rows, purposes: make(map[string]privacy.PurposeName)}
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

// next moves on to another person. Consents whose subject was not asked for are passed over.
func (r *personReader) next() bool {
	for found := false; !found; {
		if !r.ahead && !r.rows.Next() {
			r.err = r.rows.Err()
			return false
		}
		if found, r.err = r.gather(); r.err != nil {
			return false
		}
	}
	return true
}

// gather reads the rows of one person, and tells whether their own was among them.
func (r *personReader) gather() (found bool, err error) {
	r.person.Consents = r.person.Consents[:0]
	row := r.rows.RawValues()
	id := privacy.SubjectID(row[colSubject])
	for {
		if row[colPurpose] == nil {
			found, err = true, r.subject(row)
		} else {
			err = r.consent(row)
		}
		if err != nil {
			return false, err
		}
		if r.ahead = r.rows.Next(); !r.ahead {
			return found, r.rows.Err()
		}
		if row = r.rows.RawValues(); privacy.SubjectID(row[colSubject]) != id {
			return found, nil
		}
	}
}

func (r *personReader) subject(row [][]byte) (err error) {
	p := r.person
	p.Subject = Subject{ID: privacy.SubjectID(row[colSubject]), Slot: privacy.KeySlot(rawInt64(row[colSlot])),
		Version: uint32(rawInt64(row[colVersion])), State: append(p.Subject.State[:0], row[colSealed]...)} //nolint:gosec // bounded by a check constraint
	if r.more != nil {
		r.more(row)
	}
	p.Subject.Standing, err = readStanding(row[colStanding])
	return err
}

func (r *personReader) consent(row [][]byte) error {
	p := r.person
	purpose, known := r.purposes[string(row[colPurpose])]
	if !known {
		purpose = privacy.PurposeName(row[colPurpose])
		r.purposes[string(purpose)] = purpose
	}
	p.Consents = append(p.Consents, ConsentState{Purpose: purpose})
	return readConsent(r.rows, row, &p.Consents[len(p.Consents)-1])
}
