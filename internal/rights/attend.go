package rights

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// attended is how many requests one step looks at in one go; what is left is for the next. owingAtATime is how many processors that do not confirm are
// read at a time, until there are no more.
const (
	attended     = 1000
	owingAtATime = 1000
)

// Attend does what is due by now: it lets requests expire of which nobody has shown that the subject asks, reminds officers of those that
// are due soon, tells processors again that do not confirm, and tells officers of them. Every node may call it as often as it likes: what was
// done is noted on the row that it is about.
func (s *Service) Attend(ctx context.Context) error {
	handling, err := s.vault.Handling(ctx)
	if err != nil {
		return err
	}
	at := s.vault.Instant()
	return errors.Join(s.expire(ctx, &handling, at), s.remind(ctx, &handling, at), s.escalate(ctx, &handling, at), s.tellAgain(ctx, &handling, at))
}

// ago gives the time that lies a span of days before another.
func ago(span privacy.Span, at time.Time) time.Time { return at.AddDate(0, 0, -span.Count) }

// expire closes requests of which nobody has shown in time that the subject asks. With one proof of two they wait until they are due, of which
// officers are reminded, and as long again as the others.
func (s *Service) expire(ctx context.Context, handling *policy.Handling, at time.Time) (failed error) {
	until := ago(handling.VerifyWithin, at)
	for after := (privacy.RightsRequestID{}); ; {
		late, err := s.store.Unidentified(ctx, until, after, attended)
		if err != nil || len(late) == 0 {
			return errors.Join(failed, err)
		}
		after = late[len(late)-1]
		err = each(late, func(id privacy.RightsRequestID) error { return s.expireOne(ctx, id, until) })
		if failed = errors.Join(failed, err); privacy.KindOf(err) == privacy.KindUnavailable && err != nil {
			return failed
		}
	}
}

func (s *Service) expireOne(ctx context.Context, id privacy.RightsRequestID, until time.Time) error {
	_, err := s.change(ctx, custody.System(), id, audit.ActionRequestExpire, func(tx *store.Tx, r *store.RightsRequest, at time.Time) error {
		waits := r.ReceivedAt
		if r.Identified != privacy.NotIdentified {
			waits = r.DueAt
		}
		if r.State != privacy.RequestVerifying || waits.After(until) {
			return errMovedOn
		}
		r.State, r.ClosedAt = privacy.RequestExpired, at
		return forget(ctx, tx, r)
	})
	return unlessMovedOn(err)
}

// forget deletes what a request says of which nobody has shown that the subject said it.
func forget(ctx context.Context, tx *store.Tx, r *store.RightsRequest) error {
	w := &store.Writes{}
	w.ForgetAsked(r.Subject, r.ID)
	return tx.Send(ctx, w)
}

// each does something for each of many. Where it fails it goes on with the others, unless nothing can be had at all.
func each[T any](many []T, do func(one T) error) (failed error) {
	for _, one := range many {
		err := do(one)
		if err != nil && privacy.KindOf(err) == privacy.KindUnavailable {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// remind tells officers once for each of the times before a deadline, the nearest first: who is late gets one reminder, not all of them.
func (s *Service) remind(ctx context.Context, handling *policy.Handling, at time.Time) error {
	for _, days := range slices.Sorted(slices.Values(handling.RemindDaysBefore)) {
		before := time.Duration(days) * 24 * time.Hour
		soon, err := s.store.DueSoon(ctx, at, before, attended)
		if err != nil {
			return err
		}
		if err := each(soon, func(id privacy.RightsRequestID) error { return s.remindOf(ctx, id, before) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) remindOf(ctx context.Context, id privacy.RightsRequestID, before time.Duration) error {
	_, err := s.change(ctx, custody.System(), id, audit.ActionRequestRemind, func(tx *store.Tx, r *store.RightsRequest, at time.Time) error {
		if near := r.DueAt.Add(-before); at.Before(near) || !r.RemindedAt.Before(near) {
			return errMovedOn // another node has reminded, or it was extended
		}
		r.RemindedAt = at
		due := r.DueAt.UTC()
		return s.tellOfficer(ctx, tx, privacy.EventRequestDueSoon, at, privacy.EventDetail{Request: r.ID.String(), DueAt: &due})
	})
	return unlessMovedOn(err)
}

// tellOfficer puts an event for officers into the outbox. It names the request, and not whose it is.
func (s *Service) tellOfficer(ctx context.Context, tx *store.Tx, kind privacy.EventKind, at time.Time, detail privacy.EventDetail) error {
	id, err := s.vault.NewID()
	if err != nil {
		return err
	}
	return tx.AppendChange(ctx, privacy.Event{ID: id, Kind: kind, At: at, Detail: detail})
}

func (s *Service) escalate(ctx context.Context, handling *policy.Handling, at time.Time) error {
	return s.owing(ctx, ago(handling.EscalateAfter, at), true, func(owing []store.Owed) error { return s.escalateThese(ctx, owing, at) })
}

// owing goes through what was told until a time and is not confirmed.
func (s *Service) owing(ctx context.Context, toldBy time.Time, quiet bool, do func(owing []store.Owed) error) error {
	var last store.Owed
	for {
		owing, err := s.store.Owing(ctx, toldBy, quiet, last, owingAtATime)
		if err != nil || len(owing) == 0 {
			return err
		}
		if err := do(owing); err != nil {
			return err
		}
		last = owing[len(owing)-1]
	}
}

func (s *Service) escalateThese(ctx context.Context, owing []store.Owed, at time.Time) error {
	for _, o := range owing {
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			first, err := tx.Escalate(ctx, o, at)
			if err != nil || !first {
				return err
			}
			batch, err := s.vault.Entered(at, audit.Draft{Action: audit.ActionRequestEscalate, Client: custody.System().Client, Subject: o.Subject, Object: custody.RequestObject(o.Request)})
			if err != nil {
				return err
			}
			if err := tx.AppendAudit(ctx, batch); err != nil {
				return err
			}
			return s.tellOfficer(ctx, tx, privacy.EventRequestEscalated, at, privacy.EventDetail{Request: o.Request.String(), Processor: o.Processor.String()})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellAgain sends the same events again to processors that have accepted them, or were given up, and have confirmed nothing since. Those that
// are still being tried need no help.
func (s *Service) tellAgain(ctx context.Context, handling *policy.Handling, at time.Time) error {
	quietSince := ago(handling.TellAgainAfter, at)
	return s.owing(ctx, quietSince, false, func(owing []store.Owed) error { return s.tellThese(ctx, owing, quietSince, at) })
}

func (s *Service) tellThese(ctx context.Context, owing []store.Owed, quietSince, at time.Time) error {
	requests := make(map[privacy.ProcessorID][]privacy.RightsRequestID)
	for _, o := range owing {
		requests[o.Processor] = append(requests[o.Processor], o.Request)
	}
	for processor, unconfirmed := range requests {
		err := s.store.Write(ctx, func(tx *store.Tx) error {
			if again, err := tx.TellAgain(ctx, processor, unconfirmed, quietSince, at); err != nil || !again {
				return err
			}
			return tx.WakeProcessor(ctx, processor, at)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
