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
	return s.countables(ctx, `s.subject_id > $1 AND s.subject_id <= $2`, [16]byte(in.After), [16]byte(in.To))
}

// CountablesOf is [Store.Countables] of the named people. Of those who do not exist there is nothing.
func (s *Store) CountablesOf(ctx context.Context, ids []privacy.SubjectID) iter.Seq2[*Countable, error] {
	return s.countables(ctx, `s.subject_id = ANY($1)`, subjectArray(ids))
}

func (s *Store) countables(ctx context.Context, where string, args ...any) iter.Seq2[*Countable, error] {
	return readPeople(ctx, s, "read whom segments count", selectCountables+where+` ORDER BY s.subject_id`, args,
		func(c *Countable) (*Person, func([][]byte)) { return &c.Person, c.read })
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

// read takes what only segments need.
func (c *Countable) read(row [][]byte) {
	c.Facets.Version = uint32(rawInt64(row[colFacetsVersion])) //nolint:gosec // bounded by a check constraint
	sealed := append(c.Facets.Sealed[:0], row[colFacets]...)
	if c.Facets.Sealed = sealed; row[colFacets] == nil {
		c.Facets.Sealed = nil
	}
	c.Erased = rawBool(row[colErased])
}
