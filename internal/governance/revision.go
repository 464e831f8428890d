package governance

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Publication is a revision that was put in force, and how.
type Publication struct {
	Number   int64              `json:"number" doc:"Publications are counted; the highest number is in force."`
	Revision privacy.RevisionID `json:"revision"`
	By       privacy.ClientID   `json:"by"`
	At       time.Time          `json:"at"`
	Draft    string             `json:"draft,omitempty" doc:"The draft it came from."`
	Approver privacy.ActorID    `json:"approver,omitempty" doc:"Who approved the draft: a keyed hash of the person."`
	Reason   string             `json:"reason,omitempty" doc:"Why it was rolled back to."`
	InForce  bool               `json:"in_force"`
}

func newPublication(p store.Publication) Publication {
	publication := Publication{Number: p.Number, Revision: p.Revision, By: p.By, At: p.At, Approver: p.Approver, Reason: p.Reason}
	if p.Draft != (DraftID{}) {
		publication.Draft = p.Draft.String()
	}
	return publication
}

// ParseRevisionID reads the name of a revision.
func ParseRevisionID(text string) (privacy.RevisionID, error) {
	if !revisionName.MatchString(text) {
		return "", privacy.Invalid("invalid_revision_id", "a revision is named by 64 lower-case hex digits")
	}
	return privacy.RevisionID(text), nil
}

var revisionName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Publications lists what was put in force, newest first.
func (s *Service) Publications(ctx context.Context, before int64, limit int) ([]Publication, error) {
	rows, err := s.store.Publications(ctx, before, limit)
	list := make([]Publication, len(rows))
	for i, row := range rows {
		list[i] = newPublication(row)
		list[i].InForce = before == 0 && i == 0
	}
	return list, err
}

// RevisionContent gives the document of a revision.
func (s *Service) RevisionContent(ctx context.Context, id privacy.RevisionID) (json.RawMessage, error) {
	revision, err := s.custody.StoredRevision(ctx, id)
	if err != nil {
		return nil, err
	}
	return revision.Content()
}

// Rollback puts a revision in force again that was in force before, as it was then: for every request that starts
// after it has returned. Its tests are not asked: to go back must be possible at once.
func (s *Service) Rollback(ctx context.Context, caller custody.Caller, id privacy.RevisionID, reason string, once custody.Once) (Publication, error) {
	if err := custody.CheckText(reason, 1, maxComment); err != nil {
		return Publication{}, err
	}
	if err := s.custody.LoadRevision(ctx, id); err != nil { // what could not decide never comes into force
		return Publication{}, err
	}
	var rolled Publication
	err := s.custody.WriteOnce(ctx, once, &rolled, func(tx *store.Tx) error {
		if before, err := tx.WasPublished(ctx, id); err != nil {
			return err
		} else if !before {
			return privacy.Conflict("never_published", "this revision was never in force; publish it by a draft")
		}
		at := s.instant()
		changed, err := tx.Publish(ctx, store.Publication{Revision: id, By: caller.Client, At: at, Reason: reason})
		if err == nil && !changed {
			err = privacy.Conflict("already_in_force", "the revision is in force already")
		}
		if err == nil {
			err = s.custody.TellOfPublication(ctx, tx, privacy.EventPolicyRolledBack, id, at)
		}
		if err != nil {
			return err
		}
		current, err := tx.Publication(ctx)
		if err != nil {
			return err
		}
		rolled = newPublication(current)
		rolled.InForce = true
		return s.custody.RecordStep(ctx, tx, caller, at, audit.ActionPolicyRollback, custody.RevisionObject(id))
	})
	return rolled, err
}
