package store

import (
	"context"
	"iter"

	"github.com/consentry/consentry/internal/privacy"
)

// Countable is what segments need to know of one subject, as it stood at one moment.
type Countable struct {
	Person
	Facets Facets
	Erased bool
}

// Countables reads the people of a range, each by one statement's snapshot. What it lends is good until the next is asked for.
func (s *Store) Countables(ctx context.Context, in SubjectRange) iter.Seq2[*Countable, error] {
	return s.countables(ctx, inRange, in.args())
}

// CountablesOf is [Store.Countables] of the named people. Of those who do not exist there is nothing.
func (s *Store) CountablesOf(ctx context.Context, ids []privacy.SubjectID) iter.Seq2[*Countable, error] {
	return s.countables(ctx, `subject_id = ANY($1)`, []any{subjectArray(ids)})
}

func (s *Store) countables(ctx context.Context, who string, args []any) iter.Seq2[*Countable, error] {
	return readPeople(ctx, s, "read whom segments count", selectPeople(who, false, "s.facets_version", "s.facets", "s.erased_at IS NOT NULL"), args,
		func(c *Countable) (*Person, func([][]byte)) { return &c.Person, c.read })
}

// The columns that only segments need come last.
const (
	colFacetsVersion = colNotice + 1 + iota
	colFacets
	colErased
)

// read takes what only segments need.
func (c *Countable) read(row [][]byte) {
	c.Facets.Version = uint32(rawInt64(row[colFacetsVersion])) //nolint:gosec // bounded by a check constraint
	sealed := append(c.Facets.Sealed[:0], row[colFacets]...)
	if c.Facets.Sealed = sealed; row[colFacets] == nil {
		c.Facets.Sealed = nil
	}
	c.Erased = rawBool(row[colErased])
}
