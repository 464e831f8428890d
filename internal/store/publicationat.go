package store

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// PublicationAt gives the revision that was in force at a time, and since when. KindNotFound before the first.
func (s *Store) PublicationAt(ctx context.Context, at time.Time) (revision privacy.RevisionID, since time.Time, err error) {
	err = s.pool.QueryRow(ctx, `SELECT revision_id, published_at FROM publication WHERE published_at <= $1 ORDER BY number DESC LIMIT 1`, at).Scan(&revision, &since)
	if isNoRows(err) {
		return "", time.Time{}, privacy.NotFound("no_policy_then", "no policy was in force at that time")
	}
	return revision, since.UTC(), wrap(err, "read the publication of a time")
}
