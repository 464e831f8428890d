package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Notice is one version of a notice: published for good, or the draft of the version to come.
type Notice struct {
	NoticeRef
	Content     []byte // canonical JSON
	Hash        []byte // SHA-256 of the content; nil of a draft
	ValidFrom   time.Time
	PublishedBy privacy.ClientID
	PublishedAt time.Time // zero: a draft
	Edit        int32     // of a draft: how often it was changed
	UpdatedBy   privacy.ClientID
	UpdatedAt   time.Time
}

// Published reports whether the version is one that people were shown.
func (n *Notice) Published() bool { return !n.PublishedAt.IsZero() }

const selectNotice = `SELECT notice_id, version, content, hash, valid_from, published_by, published_at FROM notice`

// selectDrafts lists drafts as notices of the version to come; one that was published is no draft.
const selectDrafts = `SELECT d.notice_id, coalesce((SELECT max(n.version) FROM notice n WHERE n.notice_id = d.notice_id), 0) + 1, d.content, d.edit, d.updated_by, d.updated_at
	FROM notice_draft d`

// Notice reads one published version. KindNotFound when there is none.
func (s *Store) Notice(ctx context.Context, ref NoticeRef) (Notice, error) {
	rows, err := s.pool.Query(ctx, selectNotice+` WHERE notice_id = $1 AND version = $2`, ref.ID, ref.Version)
	if err != nil {
		return Notice{}, wrap(err, "read a notice")
	}
	notice, err := pgx.CollectExactlyOneRow(rows, scanNotice)
	if isNoRows(err) {
		return Notice{}, privacy.NotFound("notice_not_found", "there is no such version of that notice; publish it first")
	}
	return notice, wrap(err, "read a notice")
}

// NoticeDraft reads the draft of a notice; ok is false when there is none.
func (s *Store) NoticeDraft(ctx context.Context, id string) (draft Notice, ok bool, err error) {
	rows, err := s.pool.Query(ctx, selectDrafts+` WHERE d.notice_id = $1 AND d.content IS NOT NULL`, id)
	if err != nil {
		return Notice{}, false, wrap(err, "read the draft of a notice")
	}
	drafts, err := pgx.CollectRows(rows, scanNoticeDraft)
	if err != nil || len(drafts) == 0 {
		return Notice{}, false, wrap(err, "read the draft of a notice")
	}
	return drafts[0], true, nil
}

// NoticeVersions lists the published versions of a notice, newest first.
func (s *Store) NoticeVersions(ctx context.Context, id string) ([]Notice, error) {
	return s.notices(ctx, selectNotice+` WHERE notice_id = $1 ORDER BY version DESC`, scanNotice, id)
}

// Notices lists the newest published version of every notice.
func (s *Store) Notices(ctx context.Context) ([]Notice, error) {
	return s.notices(ctx, `SELECT DISTINCT ON (notice_id) `+selectNotice[len("SELECT "):]+` ORDER BY notice_id, version DESC`, scanNotice)
}

// NoticeDrafts lists all drafts.
func (s *Store) NoticeDrafts(ctx context.Context) ([]Notice, error) {
	return s.notices(ctx, selectDrafts+` WHERE d.content IS NOT NULL ORDER BY d.notice_id`, scanNoticeDraft)
}

func (s *Store) notices(ctx context.Context, sql string, scan pgx.RowToFunc[Notice], args ...any) ([]Notice, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, wrap(err, "list notices")
	}
	notices, err := pgx.CollectRows(rows, scan)
	return notices, wrap(err, "list notices")
}

// LockNotice holds a notice until the transaction ends, and gives its newest published version (0: none) and how often its
// draft was changed, with the draft's content if there is a draft now.
func (t *Tx) LockNotice(ctx context.Context, id string) (published, edit int32, content []byte, err error) {
	if _, err = t.tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('consentry notice ' || $1, 0))`, id); err != nil {
		return 0, 0, nil, wrap(err, "lock a notice")
	}
	err = t.tx.QueryRow(ctx, `SELECT coalesce((SELECT max(version) FROM notice WHERE notice_id = $1), 0),
		coalesce((SELECT edit FROM notice_draft WHERE notice_id = $1), 0), (SELECT content FROM notice_draft WHERE notice_id = $1)`, id).Scan(&published, &edit, &content)
	return published, edit, content, wrap(err, "lock a notice")
}

// PutNoticeDraft writes the draft of a locked notice; without content, the notice has none any more.
func (t *Tx) PutNoticeDraft(ctx context.Context, draft *Notice) error {
	_, err := t.tx.Exec(ctx, `
		INSERT INTO notice_draft (notice_id, edit, content, updated_by, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (notice_id) DO UPDATE SET edit = excluded.edit, content = excluded.content, updated_by = excluded.updated_by, updated_at = excluded.updated_at`,
		draft.ID, draft.Edit, draft.Content, draft.UpdatedBy, draft.UpdatedAt)
	return wrap(err, "write the draft of a notice")
}

// PublishNotice writes a version of a locked notice for good.
func (t *Tx) PublishNotice(ctx context.Context, n *Notice) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO notice (notice_id, version, content, hash, valid_from, published_by, published_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		n.ID, n.Version, n.Content, n.Hash, n.ValidFrom, n.PublishedBy, n.PublishedAt)
	return wrap(err, "publish a notice")
}

func scanNotice(row pgx.CollectableRow) (Notice, error) {
	var n Notice
	err := row.Scan(&n.ID, &n.Version, &n.Content, &n.Hash, &n.ValidFrom, &n.PublishedBy, &n.PublishedAt)
	return n, err
}

func scanNoticeDraft(row pgx.CollectableRow) (Notice, error) {
	var n Notice
	err := row.Scan(&n.ID, &n.Version, &n.Content, &n.Edit, &n.UpdatedBy, &n.UpdatedAt)
	return n, err
}
