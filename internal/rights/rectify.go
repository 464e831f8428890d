package rights

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What people say of themselves they put right themselves ([custody.Service.OwnWord]). At anything else an officer has looked before:
// by completing the request, which writes the values, or refusing it.

// rectify writes the values that a request asks for, if the person may do so by themselves, and has those told that got the old ones.
func (s *Service) rectify(ctx context.Context, r *store.RightsRequest) error {
	fields, err := s.rightValues(ctx, r)
	if err != nil || len(fields) == 0 || !s.vault.OwnWord(fields) {
		return err
	}
	_, err = s.putRight(ctx, custody.System(), r.ID, fields)
	return unlessMovedOn(err)
}

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
	if erased := err != nil && privacy.KindOf(err) == privacy.KindNotFound; erased {
		return nil, nil // and there is nothing to put right
	}
	if err != nil {
		return nil, err
	}
	return s.vault.NormaliseAttributes(asked)
}

// putRight writes values, notes who has to be told, and closes the request when that is nobody, in one transaction.
func (s *Service) putRight(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, fields []custody.ProfileValue) (Request, error) {
	processors, err := s.store.Processors(ctx)
	if err != nil {
		return Request{}, err
	}
	names := make([]privacy.AttributeName, len(fields))
	for i := range fields {
		names[i] = fields[i].Attribute.Name
	}
	return s.changeAnd(ctx, caller, id, []audit.Action{audit.ActionRequestRectify}, func(tx *store.Tx, r *store.RightsRequest, at time.Time) error {
		if r.State != privacy.RequestInProgress {
			return errMovedOn
		}
		if _, err := s.vault.Rectify(ctx, tx, caller, r.Subject, r.ID, fields); err != nil {
			return err
		}
		clients, err := s.vault.WhoReceived(ctx, r.Subject, names)
		if err != nil {
			return err
		}
		w, told := &store.Writes{}, processorsOf(processors, clients)
		if len(told) == 0 {
			return complete(tx, r, at)
		}
		event := orderOf(privacy.EventSubjectRectified, r.Subject, r.ID, at)
		event.Detail.Attributes = names
		inform(w, event, told)
		r.State = privacy.RequestAwaiting
		return tx.Send(ctx, w)
	})
}

// processorsOf finds the processors behind clients. One that rests is told when it is active again.
func processorsOf(processors []store.Processor, clients []privacy.ClientID) (ids []privacy.ProcessorID) {
	for i := range processors {
		if p := &processors[i]; p.RetiredAt.IsZero() && slices.Contains(clients, p.Client) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
