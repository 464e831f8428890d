package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// TakenBack is what a request of a subject takes back: all consents, or by an objection or a restriction the use of their data.
type TakenBack struct {
	Action privacy.ConsentAction
	Scope  privacy.PurposeName // of an objection or a restriction
	By     privacy.RequestType
	Name   func(purpose privacy.PurposeName) [16]byte // of the record about a purpose
}

// TakeBack puts that on the ledger of a locked subject, in the transaction of the request: it is in force once that is committed, and no request is
// on record that is not. It needs no key, and so waits for none; its receipts are signed when they are asked for.
func (s *Service) TakeBack(ctx context.Context, tx *store.Tx, subject store.Subject, back *TakenBack, at time.Time) error {
	head, err := tx.LedgerHead(ctx, subject)
	if err != nil {
		return err
	}
	on, w := ledger.Open(subject.ID, head), &store.Writes{}
	var drafts []audit.Draft
	for _, purpose := range back.reaches(&on) {
		record, err := s.consentRecord(System(), &Consent{Purpose: purpose, Action: back.Action, Channel: "rights_request", Method: string(back.By), Record: back.Name(purpose)}, at)
		if err != nil {
			return err
		}
		on.Append(w, record)
		drafts = append(drafts, recordDraft(System(), subject.ID, record))
	}
	if err := s.audited(w, drafts, at); err != nil {
		return err
	}
	return tx.Send(ctx, w)
}

// reaches lists what records are about: of a withdrawal of all consents each purpose for which one was given, or waits to be confirmed.
func (back *TakenBack) reaches(on *ledger.Head) (purposes []privacy.PurposeName) {
	if back.Action != privacy.ActionWithdraw {
		return []privacy.PurposeName{back.Scope}
	}
	for i := range on.States {
		if status := on.States[i].Status; status == privacy.ConsentGranted || status == privacy.ConsentPending {
			purposes = append(purposes, on.States[i].Purpose)
		}
	}
	return purposes
}

// KnownScope refuses an objection to what is none of the purposes that the policy in force knows.
func (s *Service) KnownScope(ctx context.Context, scope privacy.ObjectionScope) error {
	revision, err := s.InForce(ctx)
	if err != nil {
		return err
	}
	if !s.scopeKnown(revision, &Consent{Action: privacy.ActionObject, Purpose: privacy.PurposeName(scope)}) {
		return ErrUnknownPurpose
	}
	return nil
}
