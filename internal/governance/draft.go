package governance

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// DraftID names a draft of a policy.
type DraftID = store.DraftID

// DraftState says how far a draft has come.
type DraftState = store.DraftState

// ParseDraftID reads the name of a draft.
func ParseDraftID(text string) (DraftID, error) {
	id, err := privacy.ParseSubjectID(text)
	return DraftID(id), err
}

// Draft is a policy in the making, without its content.
type Draft struct {
	ID        string             `json:"id"`
	Version   int64              `json:"version" doc:"Counts the changes; send it in If-Match."`
	Title     string             `json:"title"`
	State     store.DraftState   `json:"state" enum:"draft,submitted,approved,rejected,published,abandoned"`
	Base      privacy.RevisionID `json:"base" doc:"The revision it was derived from."`
	Revision  privacy.RevisionID `json:"revision" doc:"The hash of its content: the revision it would be published as."`
	Author    privacy.ActorID    `json:"author" doc:"Who began it: a keyed hash of the person."`
	Editors   []privacy.ActorID  `json:"editors" doc:"Everybody who wrote in it; none of them can approve it."`
	CreatedBy privacy.ClientID   `json:"created_by"`
	CreatedAt time.Time          `json:"created_at"`
	UpdatedBy privacy.ClientID   `json:"updated_by"`
	UpdatedAt time.Time          `json:"updated_at"`

	Tested    *DraftTested    `json:"tested,omitempty" doc:"How the newest test of it ended."`
	Submitted *DraftSubmitted `json:"submitted,omitempty"`
	Review    *DraftReview    `json:"review,omitempty"`

	PublishedAt *time.Time `json:"published_at,omitempty"`
}

// DraftTested says how a test ended.
type DraftTested struct {
	Revision privacy.RevisionID `json:"revision" doc:"What was tested."`
	Pass     bool               `json:"pass"`
	At       time.Time          `json:"at"`
}

// DraftSubmitted says what was submitted for approval.
type DraftSubmitted struct {
	Revision privacy.RevisionID `json:"revision" doc:"What an approval has to name."`
	By       privacy.ClientID   `json:"by"`
	At       time.Time          `json:"at"`
}

// DraftReview says what became of it.
type DraftReview struct {
	Approved bool             `json:"approved"`
	Actor    privacy.ActorID  `json:"actor" doc:"Who reviewed it: a keyed hash of the person."`
	By       privacy.ClientID `json:"by"`
	At       time.Time        `json:"at"`
	Comment  string           `json:"comment,omitempty"`
}

func newDraft(d *store.PolicyDraft) Draft {
	draft := Draft{ID: d.ID.String(), Version: d.Version, Title: d.Title, State: d.State, Base: d.Base, Revision: d.Revision, Author: d.Editors[0], Editors: d.Editors,
		CreatedBy: d.CreatedBy, CreatedAt: d.CreatedAt, UpdatedBy: d.UpdatedBy, UpdatedAt: d.UpdatedAt}
	if d.Tested != "" {
		draft.Tested = &DraftTested{d.Tested, d.Green, d.TestedAt}
	}
	if d.Submitted != "" {
		draft.Submitted = &DraftSubmitted{d.Submitted, d.SubmittedBy, d.SubmittedAt}
	}
	if d.Reviewer != "" {
		draft.Review = &DraftReview{d.State != store.DraftRejected, d.Reviewer, d.ReviewedBy, d.ReviewedAt, d.Comment}
	}
	if !d.PublishedAt.IsZero() {
		draft.PublishedAt = &d.PublishedAt
	}
	return draft
}

// NewPolicyDraft says what a draft begins as.
type NewPolicyDraft struct {
	Title   string
	From    privacy.RevisionID // "": the revision in force
	Content json.RawMessage    // a whole document instead of that revision's
}

// The bounds of what officers write.
const (
	maxTitle   = 200     // characters
	maxComment = 2000    // characters
	maxContent = 4 << 20 // bytes of a draft in canonical form; the built-in policy has some 100 kB
)

// CreateDraft begins a draft. It is based on the revision in force, whatever its content was taken from: that is
// what it would replace.
func (s *Service) CreateDraft(ctx context.Context, caller custody.Caller, begin NewPolicyDraft, once custody.Once) (Draft, error) {
	if err := custody.CheckText(begin.Title, 1, maxTitle); err != nil {
		return Draft{}, err
	}
	base, err := s.store.CurrentRevision(ctx)
	if err != nil {
		return Draft{}, err
	}
	revision, err := s.beginning(ctx, base, begin)
	if err != nil {
		return Draft{}, err
	}
	content, err := revision.Content()
	if err != nil {
		return Draft{}, err
	}
	id, err := s.newID()
	if err != nil {
		return Draft{}, err
	}
	at, actor := s.instant(), s.custody.Actor(caller)
	row := &store.PolicyDraft{ID: DraftID(id), Version: 1, Title: begin.Title, State: store.DraftOpen, Base: base, Revision: revision.ID, Content: content,
		Editors: []privacy.ActorID{actor}, CreatedBy: caller.Client, CreatedAt: at, UpdatedBy: caller.Client, UpdatedAt: at}
	created := newDraft(row)
	err = s.custody.WriteOnce(ctx, once, &created, func(tx *store.Tx) error {
		if err := tx.InsertPolicyDraft(ctx, row); err != nil {
			return err
		}
		return s.custody.RecordStep(ctx, tx, caller, at, audit.ActionDraftCreate, draftObject(row))
	})
	return created, err
}

// beginning makes the content that a draft begins with.
func (s *Service) beginning(ctx context.Context, base privacy.RevisionID, begin NewPolicyDraft) (policy.Revision, error) {
	from := base
	if begin.From != "" {
		from = begin.From
	}
	old, err := s.custody.StoredRevision(ctx, from)
	if err != nil {
		return policy.Revision{}, err
	}
	document, err := old.Document()
	if err != nil {
		return policy.Revision{}, err
	}
	words := newVocabulary(document)
	if begin.Content != nil {
		if document, err = decodeObject(begin.Content); err != nil {
			return policy.Revision{}, err
		}
	}
	return s.draftRevision(document, words)
}

// draftRevision makes a revision of a draft's document. The attributes are those of this service's catalogue: a
// policy decides about what can be stored. Words are the names that an error may repeat.
func (s *Service) draftRevision(document map[string]any, words vocabulary) (policy.Revision, error) {
	data, _ := document["data"].(map[string]any)
	if data == nil {
		return policy.Revision{}, errNoDocument
	}
	data["attributes"] = s.custody.Catalogue().PolicyData()
	revision, err := policy.MakeRevision(document)
	if err != nil {
		return policy.Revision{}, err
	}
	content, err := revision.Content()
	if err != nil {
		return policy.Revision{}, err
	}
	if len(content) > maxContent {
		return policy.Revision{}, privacy.NewError(privacy.KindTooLarge, "draft_too_large", "a draft has at most 4 MiB")
	}
	return revision, checkTables(revision, words)
}

var errNoDocument = privacy.Invalid("invalid_document", "a policy has data and modules, each a JSON object")

// PolicyDraft gives a draft with its content.
func (s *Service) PolicyDraft(ctx context.Context, id DraftID) (Draft, json.RawMessage, error) {
	row, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return Draft{}, nil, err
	}
	return newDraft(row), row.Content, nil
}

// PolicyDrafts lists drafts, newest first.
func (s *Service) PolicyDrafts(ctx context.Context, state store.DraftState, before DraftID, limit int) ([]Draft, error) {
	rows, err := s.store.PolicyDrafts(ctx, state, before, limit)
	drafts := make([]Draft, len(rows))
	for i := range rows {
		drafts[i] = newDraft(&rows[i])
	}
	return drafts, err
}

// Part gives what a JSON pointer points to in a policy document; "" is all of it.
func Part(content json.RawMessage, pointer string) (json.RawMessage, error) {
	if pointer == "" {
		return content, nil
	}
	document, err := decodeObject(content)
	if err != nil {
		return nil, err
	}
	part, ok := lookUp(document, pointer)
	if !ok {
		return nil, privacy.NotFound("part_not_found", "the policy has nothing at this JSON pointer")
	}
	text, err := json.Marshal(part)
	if err != nil {
		return nil, privacy.Internal(err, "write a part of a policy")
	}
	return text, nil
}

// EditDraft applies a JSON merge patch (RFC 7396) to the document of a draft; a member title renames the
// draft. Version is the one that the caller has seen. A draft that was submitted, approved or rejected
// becomes a draft again, and what was said of it holds no more.
func (s *Service) EditDraft(ctx context.Context, caller custody.Caller, id DraftID, version int64, patch json.RawMessage, once custody.Once) (Draft, error) {
	change, err := decodeObject(patch)
	if err != nil {
		return Draft{}, err
	}
	if len(change) == 0 {
		return Draft{}, privacy.Invalid("empty_patch", "name what is to be changed")
	}
	return s.changeDraft(ctx, caller, id, version, audit.ActionDraftEdit, once, func(_ *store.Tx, row *store.PolicyDraft, _ time.Time) error {
		if err := mustBeOpen(row); err != nil {
			return err
		}
		return s.applyPatch(row, change, s.custody.Actor(caller))
	})
}

func (s *Service) applyPatch(row *store.PolicyDraft, change map[string]any, actor privacy.ActorID) error {
	document, err := decodeObject(row.Content)
	if err != nil {
		return err
	}
	words := newVocabulary(document)
	if given, ok := change["title"]; ok {
		title, _ := given.(string)
		if err := custody.CheckText(title, 1, maxTitle); err != nil {
			return err
		}
		row.Title = title
	}
	for name, part := range change {
		if name == "title" {
			continue
		}
		if !slices.Contains(documentParts, name) {
			return privacy.Invalid("unknown_part", "a policy document has data, modules and tests; a draft has a title besides")
		}
		if data, _ := part.(map[string]any); name == "data" && data != nil {
			if _, given := data["attributes"]; given {
				return privacy.Invalid("attributes_fixed", "the attributes of a policy are those of the catalogue; leave data.attributes out")
			}
		}
		// One part at a time, so that the title stays out of it.
		mergePatch(document, map[string]any{name: part})
	}
	revision, err := s.draftRevision(document, words)
	if err != nil {
		return err
	}
	return rewrite(row, revision, actor)
}

// documentParts are the members of a policy's document.
var documentParts = []string{"data", "modules", "tests"}

// rewrite gives a draft new content, by which whatever was decided about the old one ends.
func rewrite(row *store.PolicyDraft, revision policy.Revision, actor privacy.ActorID) error {
	content, err := revision.Content()
	if err != nil {
		return err
	}
	row.Content, row.Revision, row.State = content, revision.ID, store.DraftOpen
	row.Submitted, row.SubmittedBy, row.SubmittedAt = "", "", time.Time{}
	row.Reviewer, row.ReviewedBy, row.ReviewedAt, row.Comment = "", "", time.Time{}, ""
	if !slices.Contains(row.Editors, actor) {
		row.Editors = append(row.Editors, actor)
	}
	return nil
}

// AbandonDraft puts a draft aside for good. It stays readable.
func (s *Service) AbandonDraft(ctx context.Context, caller custody.Caller, id DraftID, version int64, once custody.Once) (Draft, error) {
	return s.changeDraft(ctx, caller, id, version, audit.ActionDraftAbandon, once, func(_ *store.Tx, row *store.PolicyDraft, _ time.Time) error {
		if err := mustBeOpen(row); err != nil {
			return err
		}
		row.State = store.DraftAbandoned
		return nil
	})
}

// changeDraft carries one step of a draft out: locks it, checks that the caller has seen its newest version,
// changes it and puts that on record. Version 0 asks for none in particular.
func (s *Service) changeDraft(ctx context.Context, caller custody.Caller, id DraftID, version int64, action audit.Action, once custody.Once,
	change func(tx *store.Tx, row *store.PolicyDraft, at time.Time) error) (Draft, error) {
	var changed Draft
	err := s.custody.WriteOnce(ctx, once, &changed, func(tx *store.Tx) error {
		row, err := tx.LockPolicyDraft(ctx, id)
		if err != nil {
			return err
		}
		if version != 0 && row.Version != version {
			return errDraftChanged
		}
		at := s.instant()
		if err := change(tx, row, at); err != nil {
			return err
		}
		row.Version++
		row.UpdatedBy, row.UpdatedAt = caller.Client, at
		if err := tx.PutPolicyDraft(ctx, row); err != nil {
			return err
		}
		changed = newDraft(row)
		return s.custody.RecordStep(ctx, tx, caller, at, action, draftObject(row))
	})
	return changed, err
}

var errDraftChanged = privacy.Conflict("draft_changed", "the draft has changed since; read it again and repeat what you meant to do on its newest version")

// draftObject names a draft and its content in the audit log.
func draftObject(row *store.PolicyDraft) string {
	return "draft/" + row.ID.String() + "@" + string(row.Revision)
}
