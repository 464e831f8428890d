package rights

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

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
	case privacy.RequestWithdrawal, privacy.RequestObjection, privacy.RequestRestriction:
		return s.enforce(ctx, r)
	}
	return nil
}

// enforce has processors told of what was taken back. Requests that an older version took up have not done that themselves.
func (s *Service) enforce(ctx context.Context, r *store.RightsRequest) error {
	if r.Effected < 0 {
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			subject, err := tx.LockSubject(ctx, r.Subject)
			if gone(err) { // erased meanwhile, and nothing of them is used any more
				return nil
			}
			if err != nil {
				return err
			}
			now, err := tx.RightsRequest(ctx, r.Subject, r.ID)
			if err != nil || now.Effected >= 0 {
				return err
			}
			return s.takeBack(ctx, tx, subject, r, s.vault.Instant())
		})
		if err != nil {
			return err
		}
	}
	var kind privacy.EventKind // of an objection they are told by the ledger's own event
	switch r.Type {
	case privacy.RequestWithdrawal:
		kind = privacy.EventSubjectWithdrawn
	case privacy.RequestRestriction:
		kind = privacy.EventSubjectRestricted
	}
	return s.done(ctx, r, kind)
}

// takenBack says what requests of a type do on the ledger.
var takenBack = map[privacy.RequestType]privacy.ConsentAction{
	privacy.RequestWithdrawal: privacy.ActionWithdraw, privacy.RequestObjection: privacy.ActionObject, privacy.RequestRestriction: privacy.ActionRestrict,
}

// takeBack puts what a request takes back on the ledger of its locked subject, once.
func (s *Service) takeBack(ctx context.Context, tx *store.Tx, subject store.Subject, r *store.RightsRequest, at time.Time) error {
	taken, err := tx.TakeUp(ctx, r)
	if err != nil || !taken {
		return err
	}
	return s.vault.TakeBack(ctx, tx, subject, &custody.TakenBack{Action: takenBack[r.Type], Scope: privacy.PurposeName(r.Scope), By: r.Type,
		Name: func(purpose privacy.PurposeName) [16]byte { return recordName(r.ID, purpose) }}, at)
}

// recordName names the ledger record that a request leads to for a purpose. It is a UUID of version 8 (RFC 9562 §5.8): a hash.
func recordName(id privacy.RightsRequestID, purpose privacy.PurposeName) (name [16]byte) {
	sum := sha256.Sum256(append(id[:], purpose...))
	copy(name[:], sum[:])
	name[6], name[8] = name[6]&0x0f|0x80, name[8]&0x3f|0x80
	return name
}
