package rights

import (
	"context"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// LodgeByForm takes up what anybody asks by an identifier. What is done until it is answered is the same whether the identifier finds
// somebody or not, down to the statements that are sent to the database, and so is the time that takes: the
// code is drawn, and sent to who is known, by a job. What a person has to say besides is not taken here, because for those who
// are not known there is no key to seal it under.
func (s *Service) LodgeByForm(ctx context.Context, caller custody.Caller, asked Asked) (Lodged, error) {
	scope, err := s.checkScope(ctx, &asked)
	if err != nil {
		return Lodged{}, err
	}
	subject, _, err := s.vault.Find(ctx, asked.Identifier)
	if err != nil {
		return Lodged{}, err
	}
	law, err := s.vault.StrictestLaw(ctx, asked.Type)
	if err != nil {
		return Lodged{}, err
	}
	id, err := s.vault.NewID()
	if err != nil {
		return Lodged{}, err
	}
	at := s.vault.Instant()
	r := s.newRequest(caller, &asked, subject, id, scope, law, at)
	batch, err := s.entries(caller, &r, at, audit.ActionRequestLodge)
	if err != nil {
		return Lodged{}, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		w := &store.Writes{}
		w.InsertRightsRequest(&r)
		w.AppendAudit(batch)
		if err := tx.Send(ctx, w); err != nil {
			return err
		}
		return tx.Enqueue(ctx, SendCodeArgs{Ref{subject, id}})
	})
	return Lodged{ID: id, DueAt: r.DueAt, State: r.State}, err
}

// SendCodeArgs names a request that is to get a code.
type SendCodeArgs struct{ Ref }

// Kind implements river.JobArgs.
func (SendCodeArgs) Kind() string { return "rights.send_code" }

type codeWorker struct {
	river.WorkerDefaults[SendCodeArgs]
	service *Service
}

// Work implements river.Worker.
func (w *codeWorker) Work(ctx context.Context, job *river.Job[SendCodeArgs]) error {
	return w.service.SendCode(ctx, job.Args.Ref)
}

// SendCode gives a request that waits to be identified a code, and sends it to who is known. It does so once, however often it is run.
func (s *Service) SendCode(ctx context.Context, ref Ref) error {
	fresh, err := s.drawCode(ctx, ref.Subject, ref.ID, true)
	if err == nil {
		err = fresh.unsent // the job comes again
	}
	if err != nil {
		return err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.LockSubject(ctx, ref.Subject)
		known := err == nil
		if err != nil && privacy.KindOf(err) != privacy.KindNotFound {
			return err
		}
		r, err := tx.RightsRequest(ctx, ref.Subject, ref.ID)
		if err != nil || r.State != privacy.RequestVerifying {
			return err
		}
		if _, has, err := tx.RightsCode(ctx, ref.Subject, ref.ID); err != nil || has {
			return err
		}
		w := &store.Writes{}
		fresh.give(w, known)
		return tx.Send(ctx, w)
	})
	if err == nil {
		s.vault.WakeMessenger()
	}
	return err
}
