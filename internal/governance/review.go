package governance

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// mustBeOpen refuses to change a draft that is done with.
func mustBeOpen(row *store.PolicyDraft) error {
	if row.State == store.DraftPublished || row.State == store.DraftAbandoned {
		return privacy.Conflict("draft_closed", "the draft was published or abandoned and stays as it is; begin a new one")
	}
	return nil
}

// SubmitDraft asks for approval of exactly the content that the draft has now. It must pass its tests: nobody
// should have to review what could not be published.
func (s *Service) SubmitDraft(ctx context.Context, caller custody.Caller, id DraftID, version int64, once custody.Once) (Draft, error) {
	var submitted Draft
	if answered, err := s.custody.Answered(ctx, once, &submitted); answered || err != nil {
		return submitted, err
	}
	row, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	if err := mustBeSubmittable(row, version); err != nil {
		return Draft{}, err
	}
	if err := s.tested(ctx, row); err != nil {
		return Draft{}, err
	}
	content := row.Revision
	return s.changeDraft(ctx, caller, id, version, audit.ActionDraftSubmit, once, func(_ *store.Tx, row *store.PolicyDraft, at time.Time) error {
		if row.Revision != content {
			return errDraftChanged
		}
		if err := mustBeSubmittable(row, version); err != nil {
			return err
		}
		row.State, row.Submitted, row.SubmittedBy, row.SubmittedAt = store.DraftSubmitted, row.Revision, caller.Client, at
		row.Tested, row.Green, row.TestedAt = row.Revision, true, at
		row.Reviewer, row.ReviewedBy, row.ReviewedAt, row.Comment = "", "", time.Time{}, ""
		return nil
	})
}

func mustBeSubmittable(row *store.PolicyDraft, version int64) error {
	if version != 0 && row.Version != version {
		return errDraftChanged
	}
	if row.State != store.DraftOpen {
		if err := mustBeOpen(row); err != nil {
			return err
		}
		return privacy.Conflict("draft_submitted", "the draft was submitted already; to submit it again, edit it first")
	}
	return nil
}

// tested runs a draft's tests, which must pass.
func (s *Service) tested(ctx context.Context, row *store.PolicyDraft) error {
	report, err := s.tryDraft(ctx, row)
	if err != nil {
		return err
	}
	return s.mustPass(ctx, report)
}

// Review is what somebody says of a submitted draft.
type Review struct {
	Revision privacy.RevisionID // the content that the reviewer has seen
	Comment  string
}

// ApproveDraft approves the content that was submitted. Whoever wrote in the draft cannot approve it, in whatever
// role, and neither can anybody without the role of an approver, whatever the policy permits.
func (s *Service) ApproveDraft(ctx context.Context, caller custody.Caller, id DraftID, review Review, once custody.Once) (Draft, error) {
	if !caller.Has(privacy.RoleApprover) {
		return Draft{}, privacy.Forbidden("approver_needed", "only somebody with the role approver can approve a draft")
	}
	return s.reviewDraft(ctx, caller, id, review, audit.ActionDraftApprove, store.DraftApproved, once)
}

// RejectDraft sends a submitted draft back, with a comment that says why.
func (s *Service) RejectDraft(ctx context.Context, caller custody.Caller, id DraftID, review Review, once custody.Once) (Draft, error) {
	if review.Comment == "" {
		return Draft{}, privacy.Invalid("comment_needed", "say in the comment why the draft is rejected")
	}
	return s.reviewDraft(ctx, caller, id, review, audit.ActionDraftReject, store.DraftRejected, once)
}

func (s *Service) reviewDraft(ctx context.Context, caller custody.Caller, id DraftID, review Review, action audit.Action, state store.DraftState, once custody.Once) (Draft, error) {
	if err := custody.CheckText(review.Comment, 0, maxComment); err != nil {
		return Draft{}, err
	}
	actor := s.custody.Actor(caller)
	return s.changeDraft(ctx, caller, id, 0, action, once, func(_ *store.Tx, row *store.PolicyDraft, at time.Time) error {
		if err := mustBeOpen(row); err != nil {
			return err
		}
		if row.Revision != review.Revision {
			return privacy.Conflict("draft_changed", "the draft is not what this review is of any more; read it again")
		}
		if row.State != store.DraftSubmitted || row.Submitted != review.Revision {
			return privacy.Conflict("draft_not_submitted", "the draft is not waiting for approval")
		}
		if state == store.DraftApproved && slices.Contains(row.Editors, actor) {
			return privacy.Forbidden("own_draft", "whoever wrote in a draft cannot approve it; ask somebody else")
		}
		row.State, row.Reviewer, row.ReviewedBy, row.ReviewedAt, row.Comment = state, actor, caller.Client, at, review.Comment
		return nil
	})
}

// PublishDraft puts an approved draft in force, on this and every other node, for every request that starts
// after it has returned. Its tests are run again, on exactly what was approved, and it is compiled first: what
// could not decide never comes into force.
func (s *Service) PublishDraft(ctx context.Context, caller custody.Caller, id DraftID, once custody.Once) (Draft, error) {
	var published Draft
	if answered, err := s.custody.Answered(ctx, once, &published); answered || err != nil {
		return published, err
	}
	row, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	if err := mustBeApproved(row); err != nil {
		return Draft{}, err
	}
	if err := s.mustBeBased(ctx, row); err != nil { // asked again below; here it spares the tests
		return Draft{}, err
	}
	if err := s.tested(ctx, row); err != nil {
		return Draft{}, err
	}
	revision, err := custody.RevisionOf(row.Revision, row.Content)
	if err != nil {
		return Draft{}, err
	}
	if err := s.policy.Load(ctx, revision); err != nil {
		return Draft{}, err
	}
	return s.changeDraft(ctx, caller, id, row.Version, audit.ActionPolicyPublish, once, func(tx *store.Tx, row *store.PolicyDraft, at time.Time) error {
		if err := mustBeApproved(row); err != nil {
			return err
		}
		if row.Revision != revision.ID {
			return errDraftChanged
		}
		current, err := tx.Publication(ctx)
		if err != nil {
			return err
		}
		if current.Revision != row.Base {
			return errBaseOutdated
		}
		if err := tx.StoreRevision(ctx, row.Revision, row.Content, caller.Client, at); err != nil {
			return err
		}
		changed, err := tx.Publish(ctx, store.Publication{Revision: row.Revision, By: caller.Client, At: at, Draft: row.ID, Approver: row.Reviewer})
		if err == nil && !changed {
			err = privacy.Conflict("already_in_force", "the revision is in force already")
		}
		if err == nil {
			err = s.custody.TellOfPublication(ctx, tx, privacy.EventPolicyPublished, row.Revision, at)
		}
		row.State, row.PublishedAt = store.DraftPublished, at
		row.Tested, row.Green, row.TestedAt = row.Revision, true, at
		return err
	})
}

func mustBeApproved(row *store.PolicyDraft) error {
	if err := mustBeOpen(row); err != nil {
		return err
	}
	if row.State != store.DraftApproved || row.Submitted != row.Revision {
		return privacy.Conflict("draft_not_approved", "the draft has not been approved as it is; submit it and have it approved by somebody else")
	}
	return nil
}

func (s *Service) mustBeBased(ctx context.Context, row *store.PolicyDraft) error {
	current, err := s.store.CurrentRevision(ctx)
	if err == nil && current != row.Base {
		err = errBaseOutdated
	}
	return err
}

var errBaseOutdated = privacy.Conflict("base_outdated", "another revision has come into force since; rebase the draft, and submit it again")

// RebaseDraft carries what a draft changes over to the revision in force. Nothing happens when both changed the
// same place; the error says which.
func (s *Service) RebaseDraft(ctx context.Context, caller custody.Caller, id DraftID, version int64, once custody.Once) (Draft, error) {
	var answer Draft
	if answered, err := s.custody.Answered(ctx, once, &answer); answered || err != nil {
		return answer, err
	}
	// Revisions are read over another connection: not while the transaction holds one, and the publications.
	draft, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return Draft{}, err
	}
	if version != 0 && draft.Version != version {
		return Draft{}, errDraftChanged
	}
	if err := mustBeOpen(draft); err != nil {
		return Draft{}, err
	}
	onto, err := s.store.CurrentRevision(ctx)
	if err != nil {
		return Draft{}, err
	}
	revision, err := s.rebased(ctx, draft, onto)
	if err != nil {
		return Draft{}, err
	}
	return s.changeDraft(ctx, caller, id, draft.Version, audit.ActionDraftRebase, once, func(tx *store.Tx, row *store.PolicyDraft, _ time.Time) error {
		current, err := tx.Publication(ctx)
		if err == nil && current.Revision != onto {
			err = errBaseOutdated
		}
		if err != nil {
			return err
		}
		row.Base = onto
		return rewrite(row, revision, s.custody.Actor(caller))
	})
}

func (s *Service) rebased(ctx context.Context, row *store.PolicyDraft, onto privacy.RevisionID) (policy.Revision, error) {
	var documents [2]map[string]any
	for i, id := range []privacy.RevisionID{row.Base, onto} {
		revision, err := s.custody.StoredRevision(ctx, id)
		if err != nil {
			return policy.Revision{}, err
		}
		if documents[i], err = revision.Document(); err != nil {
			return policy.Revision{}, err
		}
	}
	ours, err := decodeObject(row.Content)
	if err != nil {
		return policy.Revision{}, err
	}
	words := newVocabulary(documents[1])
	for _, document := range []map[string]any{documents[0], documents[1], ours} {
		data, _ := document["data"].(map[string]any)
		delete(data, "attributes") // they are the catalogue's
	}
	var m merge
	merged, _ := m.values("", documents[0], ours, documents[1]).(map[string]any)
	if len(m.conflicts) > 0 {
		places := make([]privacy.Place, len(m.conflicts))
		for i, conflict := range m.conflicts {
			places[i] = privacy.Place{Location: words.place(conflict), Message: "changed in the draft and in the revision in force"}
		}
		return policy.Revision{}, privacy.WithPlaces(privacy.Conflict("rebase_conflict", "the draft and the revision in force change the same places; see errors, and begin a new draft from the revision in force"), places)
	}
	return s.draftRevision(merged, words)
}
