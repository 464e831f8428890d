package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

const selectRevision = `SELECT revision_id FROM publication ORDER BY number DESC LIMIT 1`

func scanRevision(row pgx.Row) (privacy.RevisionID, error) {
	var id privacy.RevisionID
	err := row.Scan(&id)
	if isNoRows(err) {
		return "", privacy.Unavailable(nil, "policy_unavailable", "no policy has been published yet")
	}
	return id, err
}

// CurrentRevision gives the revision in force, from the primary. KindUnavailable when none was
// ever published.
func (s *Store) CurrentRevision(ctx context.Context) (privacy.RevisionID, error) {
	id, err := scanRevision(s.pool.QueryRow(ctx, selectRevision))
	return id, wrap(err, "read the current revision")
}

// publication gives the revision of a publication; zero asks for the one in force. What a number stands
// for never changes, so it is remembered.
func (s *Store) publication(ctx context.Context, number int64) (privacy.RevisionID, error) {
	if number == 0 {
		return s.CurrentRevision(ctx)
	}
	if id, ok := s.publications.Load(number); ok {
		return id.(privacy.RevisionID), nil //nolint:forcetypeassert // only stored below
	}
	var id privacy.RevisionID
	err := s.pool.QueryRow(ctx, `SELECT revision_id FROM publication WHERE number = $1`, number).Scan(&id)
	if err == nil {
		s.publications.Store(number, id)
	}
	return id, wrap(err, "read a publication")
}

// Revision reads the content of a revision. KindNotFound when there is none of that name.
func (s *Store) Revision(ctx context.Context, id privacy.RevisionID) ([]byte, error) {
	var content []byte
	err := s.pool.QueryRow(ctx, `SELECT content FROM revision WHERE revision_id = $1`, id).Scan(&content)
	if isNoRows(err) {
		return nil, privacy.NotFound("revision_not_found", "there is no such policy revision")
	}
	return content, wrap(err, "read a revision")
}

// Publication is a revision and who put it in force, from what and why.
type Publication struct {
	Number   int64
	Revision privacy.RevisionID
	By       privacy.ClientID
	At       time.Time
	Draft    DraftID         // zero: it came from no draft
	Approver privacy.ActorID // of the draft
	Reason   string          // of a rollback
}

// Publication reads what is in force, and holds it there until the transaction ends. It is the
// zero Publication when nothing was ever published.
func (t *Tx) Publication(ctx context.Context) (Publication, error) {
	if _, err := t.tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('consentry publication'))`); err != nil {
		return Publication{}, wrap(err, "lock the publications")
	}
	var current Publication
	err := scanPublication(t.tx.QueryRow(ctx, `SELECT `+publicationColumns+` FROM publication ORDER BY number DESC LIMIT 1`), &current)
	if isNoRows(err) {
		return Publication{}, nil
	}
	return current, wrap(err, "read the publication in force")
}

// WasPublished reports whether a revision was ever in force.
func (t *Tx) WasPublished(ctx context.Context, id privacy.RevisionID) (bool, error) {
	var published bool
	err := t.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM publication WHERE revision_id = $1)`, id).Scan(&published)
	return published, wrap(err, "look a publication up")
}

// StoreRevision keeps a revision, which puts nothing in force. One that is kept already stays as it is.
func (t *Tx) StoreRevision(ctx context.Context, id privacy.RevisionID, content []byte, by privacy.ClientID, at time.Time) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO revision (revision_id, content, created_by, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, id, content, by, at)
	return wrap(err, "store a revision")
}

// Publish puts a stored revision in force. It reports false, and changes nothing, when that revision is in
// force already. The number of the publication is given here.
func (t *Tx) Publish(ctx context.Context, p Publication) (published bool, err error) {
	current, err := t.Publication(ctx)
	if err != nil || current.Revision == p.Revision {
		return false, err
	}
	var draft *[16]byte
	if p.Draft != (DraftID{}) {
		draft = (*[16]byte)(&p.Draft)
	}
	// The lock on the publications makes the next number ours.
	_, err = t.tx.Exec(ctx, `INSERT INTO publication (number, revision_id, published_by, published_at, draft_id, approved_by, reason)
		VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''))`, current.Number+1, p.Revision, p.By, p.At, draft, p.Approver, p.Reason)
	return err == nil, wrap(err, "publish a revision")
}

// PublishRevision stores a revision if it is new and puts it in force. It reports false, and
// changes nothing, when that revision is in force already.
func (t *Tx) PublishRevision(ctx context.Context, id privacy.RevisionID, content []byte, by privacy.ClientID, at time.Time) (published bool, err error) {
	if err := t.StoreRevision(ctx, id, content, by, at); err != nil {
		return false, err
	}
	return t.Publish(ctx, Publication{Revision: id, By: by, At: at})
}

const publicationColumns = `number, revision_id, published_by, published_at, draft_id, coalesce(approved_by, ''), coalesce(reason, '')`

func scanPublication(row pgx.Row, p *Publication) error {
	var draft *[16]byte
	err := row.Scan(&p.Number, &p.Revision, &p.By, &p.At, &draft, &p.Approver, &p.Reason)
	p.At = p.At.UTC()
	if draft != nil {
		p.Draft = *draft
	}
	return err
}

// Publications lists what was put in force, newest first, before a number; 0 begins with the newest.
func (s *Store) Publications(ctx context.Context, before int64, limit int) ([]Publication, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+publicationColumns+` FROM publication WHERE $1 = 0 OR number < $1 ORDER BY number DESC LIMIT $2`, before, limit)
	if err != nil {
		return nil, wrap(err, "list publications")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Publication, err error) {
		err = scanPublication(row, &p)
		return p, err
	})
	return list, wrap(err, "list publications")
}
