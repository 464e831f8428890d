package custody

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Consent is what somebody decided about one purpose, to be put on the ledger.
type Consent struct {
	Purpose     privacy.PurposeName
	Action      privacy.ConsentAction
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy // "" for self
	Channel     string
	Method      string
	OccurredAt  time.Time // zero: now
	ExpiresAt   time.Time // zero: does not expire
}

// Recorded is the record made and where it leaves the subject on the purpose.
type Recorded struct {
	ID      string                `json:"id"`
	Subject privacy.SubjectID     `json:"subject"`
	Purpose privacy.PurposeName   `json:"purpose"`
	Status  privacy.ConsentStatus `json:"status"`
}

// clockSkew is how far ahead of this machine's clock a recorded consent may be dated.
const clockSkew = time.Minute

// RecordConsent appends to the subject's ledger and folds the record into their state, in one
// transaction: once it returns, every read that starts later sees it.
func (s *Service) RecordConsent(ctx context.Context, caller Caller, ref SubjectRef, consent Consent, once Once) (Recorded, error) {
	if _, err := s.consentRecord(caller, consent, s.instant()); err != nil {
		return Recorded{}, err
	}
	// The purpose first: what is wrong with a call must not depend on whether somebody is known.
	purposeKnown, err := s.purposeKnown(ctx, consent.Purpose)
	if err != nil {
		return Recorded{}, err
	}
	if !purposeKnown && consent.Action == privacy.ActionGrant {
		return Recorded{}, errUnknownPurpose
	}
	id, err := s.Subject(ctx, caller, ref)
	if err != nil && !purposeKnown && privacy.KindOf(err) == privacy.KindNotFound {
		err = errUnknownPurpose
	}
	if err != nil {
		return Recorded{}, err
	}
	var recorded Recorded
	err = s.writeOnce(ctx, once, &recorded, func(tx *store.Tx) error {
		if _, err := tx.LockSubject(ctx, id); err != nil {
			return err
		}
		at := s.instant() // after the wait for the lock: the ledger's times follow its order
		record, err := s.consentRecord(caller, consent, at)
		if err != nil {
			return err
		}
		if !purposeKnown {
			// A policy that no longer knows a purpose may know it again: until then, too, a
			// consent that stands can be withdrawn.
			if _, stands, err := tx.ConsentState(ctx, id, record.Purpose); err != nil || !stands {
				return cmp.Or(err, error(errUnknownPurpose))
			}
		}
		state, err := appendConsent(ctx, tx, id, record)
		if err != nil {
			return err
		}
		recorded = Recorded{ID: formatID(record.ID), Subject: id, Purpose: record.Purpose, Status: state.Status.StatusAt(at, state.ExpiresAt)}
		batch, err := s.newBatch(at, []audit.Draft{{Action: consentAction(record.Action), Client: caller.Client, RequestID: caller.Request, Subject: id, Purpose: record.Purpose}})
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	return recorded, err
}

func (s *Service) purposeKnown(ctx context.Context, purpose privacy.PurposeName) (bool, error) {
	revision, err := s.revision(ctx)
	return err == nil && s.policy.PurposeKnown(revision, purpose), err
}

func (s *Service) consentRecord(caller Caller, c Consent, at time.Time) (store.ConsentRecord, error) {
	if _, ok := c.Action.Status(); !ok {
		return store.ConsentRecord{}, privacy.Invalid("unknown_action", "the action is grant, deny or withdraw")
	}
	occurred := at
	if !c.OccurredAt.IsZero() {
		occurred = c.OccurredAt.UTC().Truncate(time.Microsecond)
	}
	if occurred.After(at.Add(clockSkew)) {
		return store.ConsentRecord{}, privacy.Invalid("consent_in_future", "occurred_at lies in the future")
	}
	if !c.ExpiresAt.IsZero() && (c.Action != privacy.ActionGrant || !c.ExpiresAt.After(occurred)) {
		return store.ConsentRecord{}, privacy.Invalid("invalid_expiry", "expires_at belongs to a grant and lies after occurred_at")
	}
	by := cmp.Or(c.By, privacy.BySelf)
	if by != privacy.BySelf && by != privacy.ByGuardian {
		return store.ConsentRecord{}, privacy.Invalid("unknown_giver", "a consent is given by self or by a guardian")
	}
	scopes := slices.Clone(c.SeparateFor)
	slices.Sort(scopes)
	id, err := s.newID()
	if err != nil {
		return store.ConsentRecord{}, err
	}
	return store.ConsentRecord{ID: id, Purpose: c.Purpose, Action: c.Action, Explicit: c.Explicit, SeparateFor: slices.Compact(scopes), By: by,
		Channel: c.Channel, Method: c.Method, OccurredAt: occurred, ExpiresAt: c.ExpiresAt.UTC().Truncate(time.Microsecond), RecordedBy: caller.Client, RecordedAt: at}, nil
}

// appendConsent puts a record on the ledger of a locked subject and gives the state it leads to.
func appendConsent(ctx context.Context, tx *store.Tx, id privacy.SubjectID, record store.ConsentRecord) (store.ConsentState, error) {
	var err error
	if record.Seq, err = tx.AppendConsent(ctx, id, record); err != nil {
		return store.ConsentState{}, err
	}
	current, exists, err := tx.ConsentState(ctx, id, record.Purpose)
	if err != nil {
		return store.ConsentState{}, err
	}
	next := foldConsent(current, exists, record)
	if next.Seq != record.Seq {
		return current, nil
	}
	return next, tx.PutConsentState(ctx, id, next)
}

// foldConsent gives the state after a record; a record that changes nothing leaves it as it is. A
// withdrawal or denial always takes effect, whatever time it carries: clocks differ, and a
// withdrawal that was accepted must hold. A grant takes effect only when it is
// not older than the grant it renews, and later than the refusal it follows, so that neither a
// backdated grant nor a late import can bring a withdrawn consent back.
func foldConsent(current store.ConsentState, exists bool, record store.ConsentRecord) store.ConsentState {
	occurred := record.OccurredAt
	if exists && record.Action == privacy.ActionGrant {
		renews := current.Status == privacy.ConsentGranted && occurred.Equal(current.OccurredAt)
		if !renews && !occurred.After(current.OccurredAt) {
			return current
		}
	}
	if exists && occurred.Before(current.OccurredAt) {
		occurred = current.OccurredAt // a withdrawal dated before the grant it ends still ends it
	}
	status, _ := record.Action.Status()
	return store.ConsentState{Purpose: record.Purpose, Seq: record.Seq, Status: status, Explicit: record.Explicit, SeparateFor: record.SeparateFor,
		By: record.By, OccurredAt: occurred, ExpiresAt: record.ExpiresAt, UpdatedAt: record.RecordedAt}
}

func consentAction(action privacy.ConsentAction) audit.Action {
	switch action {
	case privacy.ActionGrant:
		return audit.ActionConsentGrant
	case privacy.ActionDeny:
		return audit.ActionConsentDeny
	default:
		return audit.ActionConsentWithdraw
	}
}

// Consents lists where a subject stands, expiry worked out as of now.
func (s *Service) Consents(ctx context.Context, id privacy.SubjectID) ([]store.ConsentState, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	states, err := s.store.ConsentStates(ctx, id)
	now := s.instant()
	for i := range states {
		states[i].Status = states[i].Status.StatusAt(now, states[i].ExpiresAt)
	}
	return states, err
}

// ConsentHistory lists the ledger of a subject, newest first.
func (s *Service) ConsentHistory(ctx context.Context, id privacy.SubjectID, before int32, limit int) ([]store.ConsentRecord, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	return s.store.ConsentHistory(ctx, id, before, limit)
}

func (s *Service) mustExist(ctx context.Context, id privacy.SubjectID) error {
	exists, err := s.store.SubjectExists(ctx, id)
	if err == nil && !exists {
		return errNoSubject
	}
	return err
}

func formatID(id [16]byte) string { return privacy.SubjectID(id).String() }
