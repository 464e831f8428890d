package rights

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Acknowledgement says how it is known that a processor has done what it was told.
type Acknowledgement string

// How it can be known.
const (
	AcknowledgedByCallback Acknowledgement = "callback" // it said so, signed with its secret
	AcknowledgedByPoll     Acknowledgement = "poll"     // its application said so, with its own token
	AcknowledgedByOfficer  Acknowledgement = "officer"  // who has it in writing
)

// errNotTold is for a request that there is not as for one that others were told of: who asks learns no more than that it is not theirs.
var errNotTold = privacy.NotFound("not_told", "a request is not one that this processor was told of; nothing was acknowledged")

// Acknowledge notes that processors have done what requests led to, and ends those of which that was the last. It is for all of the requests
// or, when one of them is none that they were told of, for none. To say so twice is no error: the first time counts.
func (s *Service) Acknowledge(ctx context.Context, caller custody.Caller, processors []privacy.ProcessorID, requests []privacy.RightsRequestID, by Acknowledgement) error {
	owed, err := s.store.OwedBy(ctx, processors, requests)
	if err != nil {
		return err
	}
	told := make(map[privacy.RightsRequestID]bool, len(owed))
	for _, o := range owed {
		told[o.Request] = true
	}
	for _, request := range requests {
		if !told[request] {
			return errNotTold
		}
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.vault.Instant()
		var drafts []audit.Draft
		args := CarryArgs{}
		for _, o := range owed {
			first, err := tx.Acknowledge(ctx, o, string(by), at)
			if err != nil {
				return err
			}
			if !first {
				continue
			}
			drafts = append(drafts, audit.Draft{Action: audit.ActionRequestAcknowledge, Client: caller.Client, RequestID: caller.Request, Subject: o.Subject, Object: custody.RequestObject(o.Request), Actor: s.vault.Actor(caller)})
			args.Requests = append(args.Requests, Ref{o.Subject, o.Request})
		}
		if len(drafts) == 0 {
			return nil
		}
		batch, err := s.vault.Entered(at, drafts...)
		if err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, batch); err != nil {
			return err
		}
		return tx.Enqueue(ctx, args)
	})
}
