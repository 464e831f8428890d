package rights

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What people say of themselves they put right themselves ([custody.Service.OwnWord]). At anything else an officer has looked before:
// by completing the request, which writes the values, or refusing it.

// rectify writes the values that a request asks for, if the person may do so by themselves or an officer has done it and was interrupted, and has those told that got the old ones. What must be
// kept is put right by nobody's own word alone: what stood there before would be gone.
func (s *Service) rectify(ctx context.Context, r *store.RightsRequest) error {
	fields, err := s.rightValues(ctx, r)
	if gone(err) {
		return s.pastAnswering(ctx, r)
	}
	if err != nil || len(fields) == 0 || r.Effected < r.Joins && !s.vault.OwnWord(fields) {
		return err
	}
	if err = s.putRight(ctx, custody.System(), r, fields); privacy.CodeOf(err) == errHeld.Code {
		return nil // it waits for an officer
	}
	return err
}

var errHeld = privacy.Conflict("held", "a legal hold stands on the person, so an officer has to look")

// rightValues opens what a request asks for, and checks it again: the catalogue may have changed. What was said later counts.
func (s *Service) rightValues(ctx context.Context, r *store.RightsRequest) ([]custody.ProfileValue, error) {
	asked := make(map[privacy.AttributeName]json.RawMessage)
	err := s.vault.OpenDetails(ctx, r.Subject, r.ID, func(content []byte) error {
		var d Details
		if err := json.Unmarshal(content, &d); err != nil {
			return privacy.Internal(nil, "read a request")
		}
		for name, value := range d.Attributes {
			asked[name] = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.vault.NormaliseAttributes(asked)
}

// putRight writes values, once, and has those told that got the old ones. To whom they were disclosed is read after they are in force: what is
// disclosed then is the right ones.
func (s *Service) putRight(ctx context.Context, caller custody.Caller, r *store.RightsRequest, fields []custody.ProfileValue) error {
	_, err := s.change(ctx, caller, r.ID, audit.ActionRequestRectify, func(tx *store.Tx, now *store.RightsRequest, _ time.Time) error {
		if now.State != privacy.RequestInProgress || now.Effected >= r.Joins {
			return errMovedOn
		}
		if now.Joins != r.Joins { // the values were read before that
			return errJoined
		}
		if caller.Client == custody.System().Client {
			if holds, err := tx.StandingHolds(ctx, now.Subject); err != nil || len(holds) > 0 {
				return cmp.Or(err, error(errHeld))
			}
		}
		now.Effected = r.Joins
		_, err := s.vault.Rectify(ctx, tx, caller, now.Subject, now.ID, fields)
		return err
	})
	if unlessMovedOn(err) != nil {
		return err
	}
	event := orderOf(privacy.EventSubjectRectified, r.Subject, r.ID, time.Time{})
	for i := range fields {
		event.Detail.Attributes = append(event.Detail.Attributes, fields[i].Attribute.Name)
	}
	told, err := s.receivers(ctx, r.Subject, event.Detail.Attributes)
	if err != nil {
		return err
	}
	return s.doneOnceConfirmed(ctx, r, event, told)
}
