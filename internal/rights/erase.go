package rights

import (
	"context"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// markOne takes the first step of an erasure in the transaction that takes its request up, so that nothing of the subject is read
// once that is answered. A legal hold keeps it from being taken; while the keyring is away, the job takes it later.
func (s *Service) markOne(ctx context.Context, tx *store.Tx, caller custody.Caller, subject store.Subject, r *store.RightsRequest, at time.Time) error {
	holds, err := tx.StandingHolds(ctx, subject.ID)
	if err != nil || len(holds) > 0 {
		return err
	}
	w := &store.Writes{}
	_, err = s.vault.MarkErased(ctx, tx, w, caller, []custody.Doomed{{Subject: subject, Request: r.ID}}, at)
	if err != nil && privacy.KindOf(err) == privacy.KindUnavailable && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.Send(ctx, w)
}

// erase leads erasures from wherever they are to their end, together: those of one key page cost one change of it.
func (s *Service) erase(ctx context.Context, requests []store.RightsRequest) error {
	subjects := make([]privacy.SubjectID, len(requests))
	for i := range requests {
		subjects[i] = requests[i].Subject
	}
	under, err := s.store.Erasures(ctx, subjects)
	if err != nil {
		return err
	}
	if len(under) < len(requests) {
		if err := s.markRest(ctx, requests, under); err != nil {
			return err
		}
		if under, err = s.store.Erasures(ctx, subjects); err != nil {
			return err
		}
	}
	s.reach("marked")
	for _, step := range []struct {
		from store.ErasureStep
		take func(ctx context.Context, erasures []store.Erasure) error
		to   store.ErasureStep
	}{
		{store.ErasureMarked, s.vault.Bury, store.ErasureBuried},
		{store.ErasureBuried, s.vault.Puncture, store.ErasurePunctured},
		{store.ErasurePunctured, s.vault.DeleteErased, store.ErasureDeleted},
		{store.ErasureDeleted, s.tell, store.ErasureTold},
		{store.ErasureTold, s.certify, store.ErasureCertified},
	} {
		at := slices.DeleteFunc(slices.Clone(under), func(e store.Erasure) bool { return e.Step != step.from })
		if len(at) == 0 {
			continue
		}
		if err := step.take(ctx, at); err != nil {
			return err
		}
		s.reach(string(step.to))
		if under, err = s.store.Erasures(ctx, subjects); err != nil {
			return err
		}
	}
	return nil
}

// markRest takes the first step for those requests whose subjects are not marked yet, unless they are held.
func (s *Service) markRest(ctx context.Context, requests []store.RightsRequest, under []store.Erasure) error {
	rest := slices.DeleteFunc(slices.Clone(requests), func(r store.RightsRequest) bool {
		return slices.ContainsFunc(under, func(e store.Erasure) bool { return e.Subject == r.Subject })
	})
	slices.SortFunc(rest, func(a, b store.RightsRequest) int { return slices.Compare(a.Subject[:], b.Subject[:]) }) // so that two batches do not wait for each other
	return s.store.Write(ctx, func(tx *store.Tx) error {
		var doomed []custody.Doomed
		for i := range rest {
			subject, err := tx.LockSubject(ctx, rest[i].Subject)
			if privacy.KindOf(err) == privacy.KindNotFound && err != nil {
				continue // marked meanwhile
			}
			if err != nil {
				return err
			}
			holds, err := tx.StandingHolds(ctx, subject.ID)
			if err != nil {
				return err
			}
			if len(holds) == 0 {
				doomed = append(doomed, custody.Doomed{Subject: subject, Request: rest[i].ID})
			}
		}
		if len(doomed) == 0 {
			return nil
		}
		w := &store.Writes{}
		if _, err := s.vault.MarkErased(ctx, tx, w, custody.System(), doomed, s.vault.Instant()); err != nil {
			return err
		}
		return tx.Send(ctx, w)
	})
}

// tell notes which processors have received something of the subjects, and puts the event that tells them into the outbox.
func (s *Service) tell(ctx context.Context, erasures []store.Erasure) error {
	processors, err := s.store.Processors(ctx)
	if err != nil {
		return err
	}
	subjects := make([]privacy.SubjectID, len(erasures))
	for i := range erasures {
		subjects[i] = erasures[i].Subject
	}
	reached, err := s.store.Reached(ctx, subjects)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.vault.Instant()
		w := &store.Writes{}
		for _, e := range erasures {
			told := recipientsAmong(processors, reached[e.Subject])
			for _, processor := range told {
				w.NoteRecipient(e.Subject, e.Request, processor, at)
			}
			if len(told) > 0 {
				w.AwaitProcessors(e.Subject, e.Request, at)
			}
			w.AppendChange(privacy.Event{ID: e.Request, Kind: privacy.EventSubjectErased, At: at, Subject: e.Subject, Detail: privacy.EventDetail{Request: e.Request.String()}})
			w.StepErasure(e.Subject, e.Request, store.ErasureDeleted, store.ErasureTold)
		}
		return tx.Send(ctx, w)
	})
}

// recipientsAmong gives the processors that have received something of a subject: what was disclosed to their application, or events
// about a purpose that they work for.
func recipientsAmong(processors []store.Processor, reached *store.Reached) []privacy.ProcessorID {
	var ids []privacy.ProcessorID
	for i := range processors {
		p := &processors[i]
		received := slices.Contains(reached.Clients, p.Client) && p.Client != "" ||
			slices.ContainsFunc(reached.Purposes, func(purpose privacy.PurposeName) bool {
				return p.Wants(&privacy.Event{Kind: privacy.EventConsentWithdrawn, Purpose: purpose})
			})
		if p.Listens() && received {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Acknowledge notes that a processor has done what a request led to, and ends the request when it was the last. To say so twice is
// no error.
func (s *Service) Acknowledge(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, processor privacy.ProcessorID, by string) error {
	r, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.vault.Instant()
		first, err := tx.Acknowledge(ctx, r.Subject, id, processor, by, at)
		if err != nil || !first {
			return err
		}
		batch, err := s.entries(caller, &r, at, audit.ActionRequestAcknowledge)
		if err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, batch); err != nil {
			return err
		}
		return tx.Enqueue(ctx, CarryArgs{Requests: []Ref{{r.Subject, id}}})
	})
}

// resumed is how many erasures of one job are taken up at a start.
const resumed = 100

// Resume enqueues the erasures that are under way, for which a restored database may have no job. It is run at start; a job that comes
// on top of another does no harm.
func (s *Service) Resume(ctx context.Context) error {
	under, err := s.store.UnfinishedErasures(ctx, 100_000)
	if err != nil || len(under) == 0 {
		return err
	}
	var jobs []river.JobArgs
	for chunk := range slices.Chunk(under, resumed) {
		args := CarryArgs{}
		for _, e := range chunk {
			args.Requests = append(args.Requests, Ref{e.Subject, e.Request})
		}
		jobs = append(jobs, args)
	}
	return s.store.Write(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, jobs...) })
}
