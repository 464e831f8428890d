package rights

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// CarryOut does what requests ask for, as far as the vault does it by itself. It may be repeated at any time: what is done is
// not done again, and a request that is held, or not identified, is left alone. A request that fails holds up none of the others.
func (s *Service) CarryOut(ctx context.Context, refs ...Ref) error {
	names := make([]store.RightsRequestRef, len(refs))
	for i, ref := range refs {
		names[i] = store.RightsRequestRef(ref)
	}
	requests, err := s.store.RightsRequestsNamed(ctx, names)
	if err != nil {
		return err
	}
	var failed error
	var erasures []store.RightsRequest
	for i := range requests {
		r := &requests[i]
		switch {
		case r.State != privacy.RequestInProgress && r.State != privacy.RequestAwaiting:
		case erasesAll(r):
			erasures = append(erasures, *r)
		case r.State == privacy.RequestAwaiting:
			failed = errors.Join(failed, s.settle(ctx, r))
		case r.Type == privacy.RequestErasure:
			failed = errors.Join(failed, s.erasePart(ctx, r))
		case r.Type == privacy.RequestAccess || r.Type == privacy.RequestPortability:
			failed = errors.Join(failed, s.giveCopy(ctx, r))
		case r.Type == privacy.RequestRectification:
			failed = errors.Join(failed, s.rectify(ctx, r))
		case r.Type == privacy.RequestWithdrawal:
			failed = errors.Join(failed, s.withdrawAll(ctx, r))
		case r.Type == privacy.RequestObjection:
			failed = errors.Join(failed, s.decide(ctx, r, privacy.ActionObject, "")) // processors are told by the ledger's own event
		case r.Type == privacy.RequestRestriction:
			failed = errors.Join(failed, s.decide(ctx, r, privacy.ActionRestrict, privacy.EventSubjectRestricted))
		}
	}
	if len(erasures) > 0 {
		failed = errors.Join(failed, s.erase(ctx, erasures))
	}
	return failed
}

// withdrawAll withdraws every consent that is given or waits to be.
func (s *Service) withdrawAll(ctx context.Context, r *store.RightsRequest) error {
	states, err := s.store.ConsentStates(ctx, r.Subject)
	if err != nil {
		return err
	}
	for _, state := range states {
		if state.Status != privacy.ConsentGranted && state.Status != privacy.ConsentPending {
			continue
		}
		if err := s.record(ctx, r, privacy.ActionWithdraw, state.Purpose); err != nil {
			return err
		}
	}
	return s.done(ctx, r, privacy.EventSubjectWithdrawn)
}

// decide puts one decision on the ledger.
func (s *Service) decide(ctx context.Context, r *store.RightsRequest, action privacy.ConsentAction, kind privacy.EventKind) error {
	if err := s.record(ctx, r, action, privacy.PurposeName(r.Scope)); err != nil {
		return err
	}
	return s.done(ctx, r, kind)
}

// record puts a decision of the subject on their ledger, once however often it is tried: its record has a name that follows from
// the request.
func (s *Service) record(ctx context.Context, r *store.RightsRequest, action privacy.ConsentAction, purpose privacy.PurposeName) error {
	caller := custody.System()
	_, err := s.vault.RecordConsent(ctx, caller, custody.SubjectRef{ID: r.Subject},
		custody.Consent{Purpose: purpose, Action: action, Channel: "rights_request", Method: string(r.Type), Record: recordName(r.ID, purpose)}, custody.Once{})
	if gone(err) { // erased meanwhile, and nothing of them is used any more
		return nil
	}
	return err
}

// recordName names the ledger record that a request leads to for a purpose. It is a UUID of version 8 (RFC 9562 §5.8): a hash.
func recordName(id privacy.RightsRequestID, purpose privacy.PurposeName) (name [16]byte) {
	sum := sha256.Sum256(append(id[:], purpose...))
	copy(name[:], sum[:])
	name[6], name[8] = name[6]&0x0f|0x80, name[8]&0x3f|0x80
	return name
}
