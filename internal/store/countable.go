package store

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Countable is what segments need to know of one subject, as it stood at one moment.
type Countable struct {
	Subject  Subject
	Facets   Facets
	Consents []ConsentState // one for each purpose they ever decided about
	Erased   bool
}

// Countables reads the people of a range, each by one statement's snapshot. What it lends is good until the next is asked for.
func (s *Store) Countables(ctx context.Context, in SubjectRange) iter.Seq2[*Countable, error] {
	return s.countables(ctx, `s.subject_id > $1 AND s.subject_id <= $2`, [16]byte(in.After), [16]byte(in.To))
}

// CountablesOf is [Store.Countables] of the named people. Of those who do not exist there is nothing.
func (s *Store) CountablesOf(ctx context.Context, ids []privacy.SubjectID) iter.Seq2[*Countable, error] {
	return s.countables(ctx, `s.subject_id = ANY($1)`, subjectArray(ids))
}

func (s *Store) countables(ctx context.Context, where string, args ...any) iter.Seq2[*Countable, error] {
	return func(yield func(*Countable, error) bool) {
		rows, err := s.pool.Query(ctx, selectCountables+where+` ORDER BY s.subject_id`, args...)
		if err != nil {
			yield(nil, wrap(err, "read whom segments count"))
			return
		}
		defer rows.Close()
		reader := countableReader{rows: rows}
		for reader.next() {
			if !yield(&reader.person, nil) {
				return
			}
		}
		if err := wrap(reader.err, "read whom segments count"); err != nil {
			yield(nil, err)
		}
	}
}

// A subject's rows come one after the other: one for each purpose, or a single one without. The columns stand where
// selectSnapshots has them, but for the purpose, and what only segments need comes last.
const selectCountables = `
	SELECT s.subject_id, c.purpose, s.version, s.state, s.key_slot, ` + selectStanding + `,
		c.status, c.explicit, c.separate_for, c.given_by, c.occurred_at, c.expires_at, c.notice_version,
		s.facets_version, s.facets, s.erased_at IS NOT NULL
	FROM subject s LEFT JOIN consent_state c ON c.subject_id = s.subject_id
	WHERE `

const (
	colFacetsVersion = colNotice + 1 + iota
	colFacets
	colErased
)

// countableReader gathers the rows of each person.
type countableReader struct {
	rows   pgx.Rows
	person Countable
	ahead  bool // the current row is of the next person
	err    error
}

// next moves on to another person.
func (r *countableReader) next() bool {
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

func (r *countableReader) begin(row [][]byte) (err error) {
	p := &r.person
	p.Consents = p.Consents[:0]
	p.Subject = Subject{ID: privacy.SubjectID(row[colSubject]), Slot: privacy.KeySlot(rawInt64(row[colSlot])),
		Version: uint32(rawInt64(row[colVersion])), State: append(p.Subject.State[:0], row[colSealed]...)} //nolint:gosec // bounded by a check constraint
	p.Facets.Version = uint32(rawInt64(row[colFacetsVersion])) //nolint:gosec // the same
	sealed := append(p.Facets.Sealed[:0], row[colFacets]...)
	if p.Facets.Sealed = sealed; row[colFacets] == nil {
		p.Facets.Sealed = nil
	}
	p.Erased = rawBool(row[colErased])
	p.Subject.Standing, err = readStanding(row[colStanding])
	return err
}

func (r *countableReader) consent(row [][]byte) error {
	if row[colPurpose] == nil {
		return nil
	}
	r.person.Consents = append(r.person.Consents, ConsentState{Purpose: privacy.PurposeName(row[colPurpose])})
	return readConsent(r.rows, row, &r.person.Consents[len(r.person.Consents)-1])
}
