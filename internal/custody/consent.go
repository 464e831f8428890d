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
	Purpose     privacy.PurposeName // of an objection and its lifting: an ObjectionScope
	Action      privacy.ConsentAction
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy // "" for self
	Channel     string
	Method      string
	OccurredAt  time.Time // zero: now
	ExpiresAt   time.Time // zero: does not expire
}

// Recorded is the record made and where it leaves the subject on the purpose. Objected tells whether
// an objection stands against it; a scope wider than a purpose has no status of consent.
type Recorded struct {
	ID       string                `json:"id"`
	Subject  privacy.SubjectID     `json:"subject"`
	Purpose  privacy.PurposeName   `json:"purpose"`
	Status   privacy.ConsentStatus `json:"status,omitempty"`
	Objected bool                  `json:"objected"`
	Receipt  string                `json:"receipt,omitempty" doc:"The signed receipt, a compact JWS. Left out when the keyring was away while permission was taken back; GET /v1/receipts/{id} gives it later."`
}

// clockSkew is how far ahead of this machine's clock a recorded consent may be dated.
const clockSkew = time.Minute

// RecordConsent appends to the subject's ledger and folds the record into their state, in one
// transaction: once it returns, every read that starts later sees it.
func (s *Service) RecordConsent(ctx context.Context, caller Caller, ref SubjectRef, consent Consent, once Once) (Recorded, error) {
	record, err := s.consentRecord(caller, consent, s.instant())
	if err != nil {
		return Recorded{}, err
	}
	// The purpose first: what is wrong with a call must not depend on whether somebody is known.
	revision, err := s.revision(ctx)
	if err != nil {
		return Recorded{}, err
	}
	known := s.scopeKnown(revision, consent)
	if !known && consent.Action == privacy.ActionGrant {
		return Recorded{}, errUnknownPurpose
	}
	id, err := s.Subject(ctx, caller, ref)
	if err != nil && !known && privacy.KindOf(err) == privacy.KindNotFound {
		err = errUnknownPurpose
	}
	if err != nil {
		return Recorded{}, err
	}
	signed, err := s.signRecord(ctx, revision, id, &record)
	if err != nil {
		return Recorded{}, err
	}
	var recorded Recorded
	err = s.writeOnce(ctx, once, &recorded, func(tx *store.Tx) error {
		row, err := tx.LockSubject(ctx, id)
		if err != nil {
			return err
		}
		record := record                // the transaction may run again
		record.RecordedAt = s.instant() // after the wait for the lock: the ledger's times follow its order
		states, err := tx.ConsentStates(ctx, id)
		if err != nil {
			return err
		}
		ledger := ledger{tx: tx, id: id, standing: row.Standing, states: states}
		if !known && !ledger.mentions(record) {
			return errUnknownPurpose
		}
		if err := ledger.append(ctx, record); err != nil {
			return err
		}
		if err := ledger.tell(ctx, record); err != nil {
			return err
		}
		if signed != "" {
			if err := tx.PutReceipt(ctx, id, record.ID, signed); err != nil {
				return err
			}
		}
		recorded = ledger.answer(record, record.RecordedAt)
		recorded.Receipt = signed
		batch, err := s.newBatch(record.RecordedAt, []audit.Draft{{Action: consentAction(record.Action), Client: caller.Client, RequestID: caller.Request, Subject: id, Purpose: record.Purpose}})
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	return recorded, err
}

// scopeKnown reports whether the policy in force knows what the consent is about: its purpose or, of
// an objection to more than that, some purpose it reaches.
func (s *Service) scopeKnown(revision privacy.RevisionID, consent Consent) bool {
	scope := privacy.ObjectionScope(consent.Purpose)
	if _, single := scope.Purpose(); single || !consent.Action.AboutObjection() {
		return s.policy.PurposeKnown(revision, consent.Purpose)
	}
	for purpose := range s.policy.Purposes(revision) {
		if scope.Covers(purpose) {
			return true
		}
	}
	return false
}

func (s *Service) consentRecord(caller Caller, c Consent, at time.Time) (store.ConsentRecord, error) {
	if !slices.Contains(privacy.ConsentActions(), c.Action) {
		return store.ConsentRecord{}, privacy.Invalid("unknown_action", "the action is grant, deny, withdraw, object or lift")
	}
	if c.Action.AboutObjection() && !privacy.ObjectionScope(c.Purpose).Valid() {
		return store.ConsentRecord{}, privacy.Invalid("invalid_scope", "an objection is to a purpose, to a family such as marketing.*, or to * for everything")
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

func consentAction(action privacy.ConsentAction) audit.Action {
	switch action {
	case privacy.ActionGrant:
		return audit.ActionConsentGrant
	case privacy.ActionDeny:
		return audit.ActionConsentDeny
	case privacy.ActionObject:
		return audit.ActionConsentObject
	case privacy.ActionLift:
		return audit.ActionConsentLift
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
