package rights

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// PlaceHold keeps a subject from being erased, on a ground of the law that holds for them.
func (s *Service) PlaceHold(ctx context.Context, caller custody.Caller, subject privacy.SubjectID, ground string) (store.LegalHold, error) {
	law, err := s.vault.LawOf(ctx, subject, privacy.RequestErasure)
	if err != nil {
		return store.LegalHold{}, err
	}
	if !holdAllowed(law.Regime, ground) {
		return store.LegalHold{}, privacy.Invalid("ground_not_in_law", "the law that holds for the subject knows no such ground to keep data; GET /v1/requests/grounds lists them")
	}
	hold := store.LegalHold{Subject: subject, Ground: ground, PlacedBy: caller.Client}
	if hold.ID, err = s.vault.NewID(); err != nil {
		return hold, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.LockSubject(ctx, subject); err != nil {
			return err
		}
		hold.PlacedAt = s.vault.Instant()
		w := &store.Writes{}
		w.PlaceHold(&hold)
		batch, err := s.vault.Entered(hold.PlacedAt, s.holdDraft(caller, audit.ActionHoldPlace, subject, hold.ID))
		if err != nil {
			return err
		}
		w.AppendAudit(batch)
		return tx.Send(ctx, w)
	})
	return hold, err
}

// ReleaseHold ends a hold. An erasure that waited for the last one goes on at once.
func (s *Service) ReleaseHold(ctx context.Context, caller custody.Caller, subject privacy.SubjectID, hold [16]byte) error {
	waiting, err := s.store.RightsRequests(ctx, Filter{Subject: subject, Type: privacy.RequestErasure, Open: true, Identified: true, Limit: 100})
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.LockSubject(ctx, subject)
		if err != nil {
			return err
		}
		at := s.vault.Instant()
		if err := tx.ReleaseHold(ctx, subject, hold, caller.Client, at); err != nil {
			return err
		}
		batch, err := s.vault.Entered(at, s.holdDraft(caller, audit.ActionHoldRelease, subject, hold))
		if err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, batch); err != nil {
			return err
		}
		for i := range waiting {
			r, err := tx.RightsRequest(ctx, subject, waiting[i].ID)
			if err != nil {
				return err
			}
			if r.State != privacy.RequestInProgress { // refused, or another hold has ended before
				continue
			}
			if err := s.begin(ctx, tx, caller, row, &r, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// Holds lists the holds there ever were on a subject.
func (s *Service) Holds(ctx context.Context, subject privacy.SubjectID) ([]store.LegalHold, error) {
	return s.store.Holds(ctx, subject)
}

func (s *Service) holdDraft(caller custody.Caller, action audit.Action, subject privacy.SubjectID, hold [16]byte) audit.Draft {
	return audit.Draft{Action: action, Client: caller.Client, RequestID: caller.Request, Subject: subject, Object: "hold/" + privacy.SubjectID(hold).String(), Actor: s.vault.Actor(caller)}
}
