package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// DraftID names a draft of a policy. It is a UUIDv7.
type DraftID [16]byte

// String gives the canonical lower-case form of the UUID.
func (id DraftID) String() string { return privacy.SubjectID(id).String() }

// DraftState says how far a draft has come.
type DraftState string

// The states. Published and abandoned drafts stay as they are for good.
const (
	DraftOpen      DraftState = "draft"
	DraftSubmitted DraftState = "submitted"
	DraftApproved  DraftState = "approved"
	DraftRejected  DraftState = "rejected"
	DraftPublished DraftState = "published"
	DraftAbandoned DraftState = "abandoned"
)

// PolicyDraft is a policy in the making.
type PolicyDraft struct {
	ID       DraftID
	Version  int64 // counts the changes, from 1
	Title    string
	State    DraftState
	Base     privacy.RevisionID // what it was derived from
	Revision privacy.RevisionID // the hash of Content: what would be published
	Content  []byte             // canonical; nil where a list leaves it out

	Editors   []privacy.ActorID // everybody who wrote in it, the author first
	CreatedBy privacy.ClientID
	CreatedAt time.Time
	UpdatedBy privacy.ClientID
	UpdatedAt time.Time

	Tested   privacy.RevisionID // what was tested last; "" when nothing was
	Green    bool
	TestedAt time.Time

	Submitted   privacy.RevisionID // what was submitted; "" when nothing is
	SubmittedBy privacy.ClientID
	SubmittedAt time.Time

	Reviewer   privacy.ActorID // who approved or rejected; "" when nobody has
	ReviewedBy privacy.ClientID
	ReviewedAt time.Time
	Comment    string // of the review

	PublishedAt time.Time
}

const draftColumns = `draft_id, version, title, state, base, revision_id, editors, created_by, created_at, updated_by, updated_at,
	coalesce(tested, ''), coalesce(green, false), tested_at, coalesce(submitted, ''), coalesce(submitted_by, ''), submitted_at,
	coalesce(reviewer, ''), coalesce(reviewed_by, ''), reviewed_at, coalesce(comment, ''), published_at`

func scanDraft(row pgx.Row, d *PolicyDraft, more ...any) error {
	var tested, submitted, reviewed, published *time.Time
	err := row.Scan(append([]any{(*[16]byte)(&d.ID), &d.Version, &d.Title, &d.State, &d.Base, &d.Revision, &d.Editors, &d.CreatedBy, &d.CreatedAt, &d.UpdatedBy, &d.UpdatedAt,
		&d.Tested, &d.Green, &tested, &d.Submitted, &d.SubmittedBy, &submitted, &d.Reviewer, &d.ReviewedBy, &reviewed, &d.Comment, &published}, more...)...)
	d.CreatedAt, d.UpdatedAt = d.CreatedAt.UTC(), d.UpdatedAt.UTC()
	d.TestedAt, d.SubmittedAt, d.ReviewedAt, d.PublishedAt = timeOrZero(tested).UTC(), timeOrZero(submitted).UTC(), timeOrZero(reviewed).UTC(), timeOrZero(published).UTC()
	return err
}

// PolicyDraft reads a draft with its content. KindNotFound when there is none of that name.
func (s *Store) PolicyDraft(ctx context.Context, id DraftID) (*PolicyDraft, error) {
	return policyDraft(ctx, s.pool, `SELECT `+draftColumns+`, content FROM policy_draft WHERE draft_id = $1`, id)
}

// LockPolicyDraft reads a draft with its content, and keeps others from changing it until the transaction ends.
func (t *Tx) LockPolicyDraft(ctx context.Context, id DraftID) (*PolicyDraft, error) {
	return policyDraft(ctx, t.tx, `SELECT `+draftColumns+`, content FROM policy_draft WHERE draft_id = $1 FOR UPDATE`, id)
}

func policyDraft(ctx context.Context, q querier, statement string, id DraftID) (*PolicyDraft, error) {
	var d PolicyDraft
	err := scanDraft(q.QueryRow(ctx, statement, [16]byte(id)), &d, &d.Content)
	if isNoRows(err) {
		return nil, privacy.NotFound("draft_not_found", "there is no such draft")
	}
	return &d, wrap(err, "read a policy draft")
}

// PolicyDrafts lists drafts without their content, newest first; state "" asks for all, and the zero id
// for the first page.
func (s *Store) PolicyDrafts(ctx context.Context, state DraftState, before DraftID, limit int) ([]PolicyDraft, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+draftColumns+` FROM policy_draft
		WHERE ($1 = '' OR state = $1) AND ($2 OR draft_id < $3) ORDER BY draft_id DESC LIMIT $4`, state, before == DraftID{}, [16]byte(before), limit)
	if err != nil {
		return nil, wrap(err, "list policy drafts")
	}
	drafts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d PolicyDraft, err error) {
		err = scanDraft(row, &d)
		return d, err
	})
	return drafts, wrap(err, "list policy drafts")
}

// InsertPolicyDraft stores a new draft.
func (t *Tx) InsertPolicyDraft(ctx context.Context, d *PolicyDraft) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO policy_draft (draft_id, version, title, state, base, revision_id, content, editors, created_by, created_at, updated_by, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		[16]byte(d.ID), d.Version, d.Title, d.State, d.Base, d.Revision, d.Content, d.Editors, d.CreatedBy, d.CreatedAt, d.UpdatedBy, d.UpdatedAt)
	return wrap(err, "store a policy draft")
}

// PutPolicyDraft stores a draft that LockPolicyDraft read and the caller has changed.
func (t *Tx) PutPolicyDraft(ctx context.Context, d *PolicyDraft) error {
	_, err := t.tx.Exec(ctx, `UPDATE policy_draft SET version = $2, title = $3, state = $4, base = $5, revision_id = $6, content = $7, editors = $8, updated_by = $9, updated_at = $10,
		tested = nullif($11, ''), green = $12, tested_at = $13, submitted = nullif($14, ''), submitted_by = nullif($15, ''), submitted_at = $16,
		reviewer = nullif($17, ''), reviewed_by = nullif($18, ''), reviewed_at = $19, comment = nullif($20, ''), published_at = $21 WHERE draft_id = $1`,
		[16]byte(d.ID), d.Version, d.Title, d.State, d.Base, d.Revision, d.Content, d.Editors, d.UpdatedBy, d.UpdatedAt,
		d.Tested, d.Green, nullTime(d.TestedAt), d.Submitted, d.SubmittedBy, nullTime(d.SubmittedAt),
		d.Reviewer, d.ReviewedBy, nullTime(d.ReviewedAt), d.Comment, nullTime(d.PublishedAt))
	return wrap(err, "store a policy draft")
}
