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
		case erasesAll(r) && r.State != privacy.RequestVerifying:
			erasures = append(erasures, *r) // whatever the request says: one that has begun is ended
		case r.State != privacy.RequestInProgress && r.State != privacy.RequestAwaiting:
		default:
			failed = errors.Join(failed, s.carryOne(ctx, r))
		}
	}
	if len(erasures) > 0 {
		failed = errors.Join(failed, s.erase(ctx, erasures))
	}
	return failed
}

// joinRounds bounds how often a request is carried out anew because it was joined meanwhile.
const joinRounds = 5

// carryOne carries a request out. Who joined it meanwhile asks for the same as of later, after things that it may have been too early for: it is
// carried out anew.
func (s *Service) carryOne(ctx context.Context, r *store.RightsRequest) error {
	for range joinRounds {
		err := s.carryByType(ctx, r)
		if err == nil || privacy.CodeOf(err) != errJoined.Code {
			return err
		}
		if *r, err = s.store.RightsRequest(ctx, r.ID); err != nil {
			return err
		}
		if r.State.Closed() {
			return nil
		}
	}
	return errJoined
}

var errJoined = privacy.Conflict("request_joined", "somebody has asked for the same meanwhile, and may have added to it; read the request again")

func (s *Service) carryByType(ctx context.Context, r *store.RightsRequest) error {
	if r.State == privacy.RequestAwaiting {
		return s.settle(ctx, r)
	}
	switch r.Type {
	case privacy.RequestErasure:
		return s.erasePart(ctx, r)
	case privacy.RequestAccess, privacy.RequestPortability:
		return s.giveCopy(ctx, r)
	case privacy.RequestRectification:
		return s.rectify(ctx, r)
	case privacy.RequestWithdrawal:
		return s.withdrawAll(ctx, r)
	case privacy.RequestObjection:
		return s.decide(ctx, r, privacy.ActionObject, "") // processors are told by the ledger's own event
	case privacy.RequestRestriction:
		return s.decide(ctx, r, privacy.ActionRestrict, privacy.EventSubjectRestricted)
	}
	return nil
}

// withdrawAll withdraws every consent that is given or waits to be.
func (s *Service) withdrawAll(ctx context.Context, r *store.RightsRequest) error {
	if taken, err := s.store.TakeUp(ctx, r); err != nil || !taken {
		return err
	}
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
	if taken, err := s.store.TakeUp(ctx, r); err != nil || !taken {
		return err
	}
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
