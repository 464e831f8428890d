package store

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

func (r SubjectRange) args() []any { return []any{[16]byte(r.After), [16]byte(r.To)} }

// selectPeople reads people and their consents: each person's row and those of their consents, which share a shard and a snapshot. They are
// not joined, so that what is wide comes once, nor sorted, which would cost PostgreSQL more than all the rest. Who is a condition on
// both tables, and subjects what is asked of a subject beyond that and selected of it last. The columns stand where selectSnapshots has them,
// but for the purpose.
func selectPeople(who string, subjects peopleColumns) string {
	return `
	SELECT s.subject_id, NULL::text AS purpose, s.version, s.state, s.key_slot, ` + selectStanding + `,
		NULL::text, NULL::boolean, NULL::text[], NULL::text, NULL::timestamptz, NULL::timestamptz, NULL::integer, ` + subjects.columns + `
	FROM subject s
	WHERE ` + who + subjects.condition + `
	UNION ALL
	SELECT subject_id, purpose, NULL, NULL, NULL, NULL,
		status, explicit, separate_for, given_by, occurred_at, expires_at, notice_version, NULL, NULL, NULL
	FROM consent_state
	WHERE ` + who
}

type peopleColumns struct{ columns, condition string }

var (
	everybodysFacets = peopleColumns{columns: `s.erased_at IS NOT NULL, s.facets_version, s.facets`}
	theLiving        = peopleColumns{columns: `false, NULL::integer, NULL::bytea`, condition: ` AND erased_at IS NULL`}
)

// The columns of selectPeople that selectSnapshots has not, or has otherwise.
const (
	colPurpose = colAttribute

	colErased = colNotice + iota
	colFacetsVersion
	colFacets
)

// people reads about so many people, in no order. What it lends is good until the next is asked for.
func (s *Store) people(ctx context.Context, doing string, about int, sql string, args ...any) iter.Seq2[*Person, error] {
	return func(yield func(*Person, error) bool) {
		rows, err := s.pool.Query(ctx, sql, args...)
		if err != nil {
			yield(nil, wrap(err, doing))
			return
		}
		reader := s.personReader(about)
		defer s.readers.Put(reader)
		if err := wrap(reader.readAll(rows), doing); err != nil {
			yield(nil, err)
			return
		}
		for person := range reader.all() {
			if !yield(person, nil) {
				return
			}
		}
	}
}

// personReader puts the rows of selectPeople together, whatever their order. It is used again, because what it holds of a page is a
// megabyte.
type personReader struct {
	people   []readPerson
	place    map[privacy.SubjectID]int // of each in people
	latest   int                       // the place of whom the row before was about
	consents []readState               // of everybody, as they come: they were given at different times, and lie far apart
	lent     []ConsentState
	purposes map[string]privacy.PurposeName
	scopes   scopeSets
	bytes    byteArena
}

type readPerson struct {
	Person
	seen   bool // their own row, not only consents: of somebody erased those remain
	latest int  // the number of their latest consent, from 1 on; 0: none
}

type readState struct {
	ConsentState
	before int // the number of another consent of theirs; 0: none
}

// personReader gives a reader of about so many people that nobody else uses.
func (s *Store) personReader(about int) *personReader {
	if used, ok := s.readers.Get().(*personReader); ok {
		used.reset()
		return used
	}
	return newPersonReader(about)
}

func newPersonReader(about int) *personReader {
	return &personReader{people: make([]readPerson, 0, about), place: make(map[privacy.SubjectID]int, about),
		consents: make([]readState, 0, 4*about), purposes: make(map[string]privacy.PurposeName), scopes: make(scopeSets)}
}

func (r *personReader) reset() {
	clear(r.place)
	r.people, r.latest, r.consents = r.people[:0], 0, r.consents[:0]
	r.bytes.reset()
}

func (r *personReader) readAll(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		if err := r.read(rows, rows.RawValues()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *personReader) read(rows pgx.Rows, row [][]byte) error {
	if row[colPurpose] == nil {
		return r.subject(row)
	}
	return r.consent(rows, row)
}

// find gives the place of whom a row is about.
func (r *personReader) find(row [][]byte) int {
	id := privacy.SubjectID(row[colSubject])
	if len(r.people) > 0 && r.people[r.latest].Subject.ID == id {
		return r.latest
	}
	place, known := r.place[id]
	if !known {
		place = len(r.people)
		r.place[id] = place
		r.people = append(r.people, readPerson{Person: Person{Subject: Subject{ID: id}}})
	}
	r.latest = place
	return place
}

func (r *personReader) subject(row [][]byte) (err error) {
	p := &r.people[r.find(row)]
	p.seen = true
	p.Subject.Slot, p.Subject.Version = privacy.KeySlot(rawInt64(row[colSlot])), uint32(rawInt64(row[colVersion])) //nolint:gosec // bounded by a check constraint
	p.Subject.State, p.Subject.Erased = r.bytes.keep(row[colSealed]), rawBool(row[colErased])
	if sealed := row[colFacets]; sealed != nil {
		p.Facets = Facets{Version: uint32(rawInt64(row[colFacetsVersion])), Sealed: r.bytes.keep(sealed)} //nolint:gosec // bounded by a check constraint
	}
	p.Subject.Standing, err = readStanding(row[colStanding])
	return err
}

func (r *personReader) consent(rows pgx.Rows, row [][]byte) error {
	p := &r.people[r.find(row)]
	purpose, known := r.purposes[string(row[colPurpose])]
	if !known {
		purpose = privacy.PurposeName(row[colPurpose])
		r.purposes[string(purpose)] = purpose
	}
	r.consents = append(r.consents, readState{ConsentState: ConsentState{Purpose: purpose}, before: p.latest})
	p.latest = len(r.consents)
	return readConsent(rows, row, r.scopes, &r.consents[p.latest-1].ConsentState)
}

// all gives whoever has a row of their own, each until the next is asked for.
func (r *personReader) all() iter.Seq[*Person] {
	return func(yield func(*Person) bool) {
		for i := range r.people {
			if r.people[i].seen && !yield(r.lend(&r.people[i])) {
				return
			}
		}
	}
}

// lend gives a person with their consents.
func (r *personReader) lend(p *readPerson) *Person {
	r.lent = r.lent[:0]
	for at := p.latest; at > 0; at = r.consents[at-1].before {
		r.lent = append(r.lent, r.consents[at-1].ConsentState)
	}
	p.Consents = r.lent
	return &p.Person
}
