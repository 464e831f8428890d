package rights

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// This file is about processors that have to be told of what a request led to (GDPR Art. 17(2), 19; CCPA 1798.105(c)): who they are, and how
// the request waits for them. They know a subject by the pseudonym that every disclosure and every event gives, and
// are told under it.

// recipients finds the processors that have received something of each subject: what was disclosed to their application, or events
// about a purpose that they work for. One that rests is told when it is active again; of one that is retired there is nobody left to tell.
func (s *Service) recipients(ctx context.Context, subjects ...privacy.SubjectID) (map[privacy.SubjectID][]privacy.ProcessorID, error) {
	processors, err := s.store.Processors(ctx)
	if err != nil {
		return nil, err
	}
	processors = slices.DeleteFunc(processors, func(p store.Processor) bool { return !p.RetiredAt.IsZero() })
	if len(processors) == 0 {
		return nil, nil
	}
	reached, err := s.store.Reached(ctx, subjects)
	if err != nil {
		return nil, err
	}
	released, err := s.vault.Releasing(ctx, decisionsIn(reached))
	if err != nil {
		return nil, err
	}
	found := make(map[privacy.SubjectID][]privacy.ProcessorID)
	for _, subject := range subjects {
		for i := range processors {
			if hasReceived(&processors[i], reached[subject], released) {
				found[subject] = append(found[subject], processors[i].ID)
			}
		}
	}
	return found, nil
}

func decisionsIn(reached map[privacy.SubjectID]*store.Reached) []audit.Hash {
	distinct := make(map[audit.Hash]bool)
	for _, r := range reached {
		for _, answer := range r.Answers {
			if !answer.Decision.IsZero() {
				distinct[answer.Decision] = true
			}
		}
	}
	return slices.Collect(maps.Keys(distinct))
}

// hasReceived reports whether a processor got anything: to have asked and been refused is not to know of somebody.
func hasReceived(p *store.Processor, reached *store.Reached, released map[audit.Hash]bool) bool {
	return p.Client != "" && slices.ContainsFunc(reached.Answers, func(a store.Answered) bool {
		return a.Client == p.Client && (a.Decision.IsZero() || released[a.Decision])
	}) ||
		slices.ContainsFunc(reached.Purposes, p.Serves)
}

// inform notes the processors that have to be told of what a request led to, and puts the event that tells them into the outbox, under the
// request's name: there is one for each request.
func inform(w *store.Writes, event privacy.Event, told []privacy.ProcessorID) {
	for _, processor := range told {
		w.NoteRecipient(event.Subject, event.ID, processor, event.At)
	}
	w.AppendChange(event)
}

// orderOf makes the event of what a request led to.
func orderOf(kind privacy.EventKind, subject privacy.SubjectID, request privacy.RightsRequestID, at time.Time) privacy.Event {
	return privacy.Event{ID: request, Kind: kind, At: at, Subject: subject, Detail: privacy.EventDetail{Request: request.String()}}
}

// told lists the processors that were told of what a request led to, and how far the telling of each has come.
func (s *Service) told(ctx context.Context, subject privacy.SubjectID, request privacy.RightsRequestID) ([]store.Recipient, error) {
	recipients, err := s.store.Recipients(ctx, subject, request)
	if err != nil || len(recipients) == 0 {
		return nil, err
	}
	processors := make([]privacy.ProcessorID, len(recipients))
	for i := range recipients {
		processors[i] = recipients[i].Processor
	}
	tellings, err := s.store.Tellings(ctx, request, processors)
	for i := range recipients {
		recipients[i].Telling = tellings[recipients[i].Processor]
	}
	return recipients, err
}

// done ends a request that was carried out: at once, or where there are processors that have received the subject, once they have
// confirmed it. Without a kind there is nothing that they must be told.
func (s *Service) done(ctx context.Context, r *store.RightsRequest, kind privacy.EventKind) error {
	var told []privacy.ProcessorID
	if kind != "" {
		if err := s.store.CountOrder(ctx, r.Subject); err != nil {
			return err
		}
		recipients, err := s.recipients(ctx, r.Subject)
		if err != nil {
			return err
		}
		told = recipients[r.Subject]
	}
	return s.doneOnceConfirmed(ctx, r, orderOf(kind, r.Subject, r.ID, time.Time{}), told)
}

// doneOnceConfirmed ends a request that was carried out once the processors that are told of it now have confirmed it.
func (s *Service) doneOnceConfirmed(ctx context.Context, r *store.RightsRequest, event privacy.Event, told []privacy.ProcessorID) error {
	if len(told) == 0 {
		return s.close(ctx, r)
	}
	_, err := s.change(ctx, custody.System(), r.ID, audit.ActionRequestTell, func(tx *store.Tx, now *store.RightsRequest, at time.Time) error {
		if now.State != privacy.RequestInProgress {
			return errMovedOn
		}
		if now.Joins != r.Joins {
			return errJoined
		}
		w := &store.Writes{}
		event.At = at
		inform(w, event, told)
		now.State = privacy.RequestAwaiting
		return tx.Send(ctx, w)
	})
	return unlessMovedOn(err)
}

// settle closes a request that waits for processors, if all of them have confirmed.
func (s *Service) settle(ctx context.Context, r *store.RightsRequest) error {
	recipients, err := s.store.Recipients(ctx, r.Subject, r.ID)
	if err != nil || !acknowledged(recipients) {
		return err
	}
	return s.close(ctx, r)
}

// close ends a request that was carried out as it was read, unless it was joined since. With that of the erasure of a part comes its certificate.
func (s *Service) close(ctx context.Context, r *store.RightsRequest) error {
	certificate, err := s.certifyPart(ctx, r)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, custody.System(), r.ID, audit.ActionRequestComplete, func(tx *store.Tx, now *store.RightsRequest, at time.Time) error {
		if err := completed(r)(tx, now, at); err != nil || certificate == "" {
			return err
		}
		return tx.CertifyPart(ctx, now, certificate, at)
	})
	return unlessMovedOn(err)
}

// erasedBefore is why a request was not answered whose subject is gone: nothing is left that it could be answered with.
const erasedBefore = "subject_erased"

// pastAnswering closes a request of somebody who was erased before it was carried out. It was not done, and must not look as if it were.
func (s *Service) pastAnswering(ctx context.Context, r *store.RightsRequest) error {
	_, err := s.change(ctx, custody.System(), r.ID, audit.ActionRequestReject, func(_ *store.Tx, r *store.RightsRequest, at time.Time) error {
		r.State, r.Ground, r.ClosedAt = privacy.RequestRejected, erasedBefore, at
		return nil
	})
	return unlessMovedOn(err)
}

// unlessMovedOn forgives what somebody else did meanwhile.
func unlessMovedOn(err error) error {
	if code := privacy.CodeOf(err); err != nil && (code == errClosed.Code || code == errMovedOn.Code) {
		return nil
	}
	return err
}

// completed completes a request of which this was carried out.
func completed(carried *store.RightsRequest) func(tx *store.Tx, r *store.RightsRequest, at time.Time) error {
	return func(_ *store.Tx, r *store.RightsRequest, at time.Time) error {
		if r.Joins != carried.Joins {
			return errJoined
		}
		r.State, r.ClosedAt = privacy.RequestCompleted, at
		return nil
	}
}

// receivers finds the processors that got any of some attributes of a subject. One that rests is told when it is active again.
func (s *Service) receivers(ctx context.Context, subject privacy.SubjectID, attributes []privacy.AttributeName) (ids []privacy.ProcessorID, err error) {
	if err := s.store.CountOrder(ctx, subject); err != nil {
		return nil, err
	}
	clients, err := s.vault.WhoReceived(ctx, subject, attributes)
	if err != nil {
		return nil, err
	}
	processors, err := s.store.Processors(ctx)
	for i := range processors {
		if p := &processors[i]; p.RetiredAt.IsZero() && slices.Contains(clients, p.Client) {
			ids = append(ids, p.ID)
		}
	}
	return ids, err
}

func acknowledged(recipients []store.Recipient) bool {
	return !slices.ContainsFunc(recipients, func(r store.Recipient) bool { return r.AcknowledgedAt.IsZero() })
}
