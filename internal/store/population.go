package store

import (
	"context"
	"iter"

	"github.com/consentry/consentry/internal/privacy"
)

// Person is what policies look at in one subject, for every purpose at once, as it stood at one moment.
type Person struct {
	Subject  Subject
	Consents []ConsentState // one for each purpose they ever decided about
	Facets   Facets
}

// Consent tells where the person stands on a purpose.
func (p *Person) Consent(purpose privacy.PurposeName) ConsentState {
	for i := range p.Consents { // they are few
		if p.Consents[i].Purpose == purpose {
			return p.Consents[i]
		}
	}
	return ConsentState{Status: privacy.ConsentNone}
}

// SubjectRange is a run of subject ids: those after one, up to and with another.
type SubjectRange struct{ After, To privacy.SubjectID }

// populationPage is how many people a range holds.
const populationPage = 1000

// lastSubject is no less than any id.
var lastSubject = privacy.SubjectID{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// SubjectRanges cuts the population into ranges of like size, which can be read side by side.
func (s *Store) SubjectRanges(ctx context.Context) iter.Seq2[SubjectRange, error] {
	return func(yield func(SubjectRange, error) bool) {
		for next := (SubjectRange{}); ; next.After = next.To {
			err := s.pool.QueryRow(ctx, `SELECT subject_id FROM subject WHERE subject_id > $1 ORDER BY subject_id OFFSET $2 LIMIT 1`, [16]byte(next.After), populationPage-1).Scan((*[16]byte)(&next.To))
			if isNoRows(err) {
				yield(SubjectRange{next.After, lastSubject}, nil)
				return
			}
			if !yield(next, wrap(err, "divide the population")) || err != nil {
				return
			}
		}
	}
}

// Population reads the people of a range who have not been erased, each by one statement's snapshot, without their facets.
func (s *Store) Population(ctx context.Context, in SubjectRange) iter.Seq2[*Person, error] {
	return s.people(ctx, "read the population", populationPage, selectPeople(inRange, theLiving), in.args()...)
}

// Countables reads what segments need to know of the people of a range, each by one statement's snapshot.
func (s *Store) Countables(ctx context.Context, in SubjectRange) iter.Seq2[*Person, error] {
	return s.people(ctx, "read whom segments count", populationPage, selectPeople(inRange, everybodysFacets), in.args()...)
}

// CountablesOf is [Store.Countables] of the named people. Of those who do not exist there is nothing.
func (s *Store) CountablesOf(ctx context.Context, ids []privacy.SubjectID) iter.Seq2[*Person, error] {
	return s.people(ctx, "read whom segments count", len(ids), selectPeople(`subject_id = ANY($1)`, everybodysFacets), subjectArray(ids))
}
