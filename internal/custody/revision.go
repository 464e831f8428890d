package custody

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// PublishDefault puts the built-in policy in force where nothing is, or where what is in force is another
// version's built-in policy; what somebody published stays. It is run at start, and gives the
// revision in force after it.
func (s *Service) PublishDefault(ctx context.Context) (privacy.RevisionID, error) {
	revision, err := policy.Default(s.catalogue.PolicyData())
	if err != nil {
		return "", err
	}
	content, err := revision.Content()
	if err != nil {
		return "", err
	}
	at := s.instant()
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		current, err := tx.Publication(ctx)
		if err != nil {
			return err
		}
		if current.By != "" && current.By != privacy.SystemClient {
			// Officers decide what is in force; a draft can take the new built-in policy up.
			return tx.StoreRevision(ctx, revision.ID, content, privacy.SystemClient, at)
		}
		// One that was in force before has been replaced by a newer version's: an old node that is restarted
		// in the middle of an upgrade must not put it back.
		if before, err := tx.WasPublished(ctx, revision.ID); err != nil || before {
			return err
		}
		published, err := tx.PublishRevision(ctx, revision.ID, content, privacy.SystemClient, at)
		if err != nil || !published {
			return err
		}
		if err := s.TellOfPublication(ctx, tx, privacy.EventPolicyPublished, revision.ID, at); err != nil {
			return err
		}
		batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionRevisionPublish, Client: privacy.SystemClient, Object: RevisionObject(revision.ID)}})
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	if err != nil {
		return "", err
	}
	return s.InForce(ctx)
}

// InForce gives the revision in force, compiled and ready to decide.
func (s *Service) InForce(ctx context.Context) (privacy.RevisionID, error) {
	id, err := s.store.CurrentRevision(ctx)
	if err != nil {
		return "", err
	}
	return id, s.LoadRevision(ctx, id)
}

// LoadRevision makes sure that a revision is compiled here: another node may have
// published it, and replay asks for old ones. It is compiled once, however many requests meet it first; they
// wait, and go on with it or fail.
func (s *Service) LoadRevision(ctx context.Context, id privacy.RevisionID) error {
	if s.policy.Loaded(id) {
		return nil
	}
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return privacy.Unavailable(ctx.Err(), "policy_unavailable", "the policy is still being compiled; try again")
	}
	if s.policy.Loaded(id) {
		return nil
	}
	revision, err := s.StoredRevision(ctx, id)
	if err != nil {
		return err
	}
	if err := s.policy.Load(ctx, revision); err != nil {
		return errUnusable(err)
	}
	return nil
}

// StoredRevision reads a revision that a request needs.
func (s *Service) StoredRevision(ctx context.Context, id privacy.RevisionID) (policy.Revision, error) {
	revision, err := readRevision(ctx, s.store, id)
	if privacy.KindOf(err) == privacy.KindInvalid {
		return policy.Revision{}, errUnusable(err)
	}
	return revision, err
}

// readRevision reads a revision, and makes sure that it is what its name says. KindNotFound when there is none,
// KindInvalid when the database holds something else under its name.
func readRevision(ctx context.Context, db *store.Store, id privacy.RevisionID) (policy.Revision, error) {
	content, err := db.Revision(ctx, id)
	if err != nil {
		return policy.Revision{}, err
	}
	return namedRevision(id, content)
}

// RevisionOf reads stored content, and makes sure that it is what its name says.
func RevisionOf(id privacy.RevisionID, content []byte) (policy.Revision, error) {
	revision, err := namedRevision(id, content)
	if err != nil {
		return policy.Revision{}, errUnusable(err)
	}
	return revision, nil
}

func namedRevision(id privacy.RevisionID, content []byte) (policy.Revision, error) {
	revision, err := policy.ParseRevision(content)
	if err == nil && revision.ID != id {
		err = privacy.Invalid("revision_mismatch", "the stored policy revision does not match its name")
	}
	if err != nil {
		return policy.Revision{}, err
	}
	return revision, nil
}

// RevisionObject names a revision in the audit log.
func RevisionObject(id privacy.RevisionID) string { return "revision/" + string(id) }

// errUnusable says that a stored revision is of no use: the caller has done nothing wrong.
func errUnusable(cause error) error {
	return privacy.Unavailable(cause, "policy_unavailable", "the policy cannot be evaluated; an operator must look into the stored revision")
}

// Authorise decides whether a caller may call an operation; about is the subject it concerns, zero
// when it concerns none. Every doubt is a no.
func (s *Service) Authorise(ctx context.Context, caller privacy.Caller, operation string, about privacy.SubjectID) error {
	revision, err := s.InForce(ctx)
	if err != nil {
		return err
	}
	return s.authorise(ctx, revision, caller, operation, about)
}

func (s *Service) authorise(ctx context.Context, revision privacy.RevisionID, caller privacy.Caller, operation string, about privacy.SubjectID) error {
	allowed, err := s.policy.Authorise(ctx, revision, policy.NewAuthzInput(caller, policy.Operation(operation), about))
	if err != nil {
		return err
	}
	if !allowed {
		return privacy.Forbidden("not_allowed", "the token's roles do not permit this call")
	}
	return nil
}
