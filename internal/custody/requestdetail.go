package custody

import (
	"context"
	"encoding/json"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// SealDetail seals what a request says under its subject's key, together with the request's id, so that it cannot be
// passed off as another's.
func (s *Service) SealDetail(ctx context.Context, subject *store.Subject, request privacy.RightsRequestID, detail any) ([]byte, error) {
	key, err := s.subjectKey(ctx, subject)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(detail)
	if err != nil {
		return nil, privacy.Internal(nil, "encode a request")
	}
	return key.Seal(keyring.KindRequest, 0, 1, privacy.NewCleartext(request.String()+string(content)))
}

// openDetail lends what SealDetail sealed, as JSON.
func (s *Service) openDetail(ctx context.Context, subject *store.Subject, request privacy.RightsRequestID, sealed []byte, lend func(content []byte) error) error {
	key, err := s.subjectKey(ctx, subject)
	if err != nil {
		return err
	}
	detail, err := key.Open(keyring.KindRequest, 0, 1, sealed)
	if err != nil {
		return err
	}
	return detail.Borrow(func(text string) error {
		name := request.String()
		if len(text) < len(name) || text[:len(name)] != name {
			return keyring.ErrNotAuthentic
		}
		return lend([]byte(text[len(name):]))
	})
}

// OpenDetails lends all that a request of a subject says in detail, in the order in which it was said.
func (s *Service) OpenDetails(ctx context.Context, id privacy.SubjectID, request privacy.RightsRequestID, lend func(content []byte) error) error {
	subject, err := s.store.HeldSubject(ctx, id)
	if err != nil {
		return err
	}
	details, err := s.store.RightsDetails(ctx, id, request)
	if err != nil {
		return err
	}
	for _, detail := range details {
		if err := s.openDetail(ctx, &subject.Subject, request, detail.Sealed, lend); err != nil {
			return err
		}
	}
	return nil
}

// HandDetails adds what a request of a locked subject says to another that it has joined, so that whoever decides on that one hears it: as it is by now, for
// some of it may have been erased.
func (s *Service) HandDetails(ctx context.Context, tx *store.Tx, subject *store.Subject, from, to privacy.RightsRequestID, at time.Time) error {
	details, err := tx.RightsDetailsWith(ctx, subject.ID, from)
	if err != nil || len(details) == 0 {
		return err
	}
	if _, err := s.keyAtHand(ctx, subject.ID, subject.Slot); err != nil {
		return err
	}
	w := &store.Writes{}
	for _, detail := range details {
		err := s.openDetail(ctx, subject, detail.Request, detail.Sealed, func(content []byte) error {
			sealed, err := s.SealDetail(ctx, subject, to, json.RawMessage(content))
			w.AddRightsDetail(subject.ID, to, sealed, at)
			return err
		})
		if err != nil {
			return err
		}
	}
	return tx.Send(ctx, w)
}
