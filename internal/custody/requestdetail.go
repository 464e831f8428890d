package custody

import (
	"context"
	"encoding/json"
	"errors"

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

// OpenDetail lends what SealDetail sealed, as JSON.
func (s *Service) OpenDetail(ctx context.Context, subject *store.Subject, request privacy.RightsRequestID, sealed []byte, lend func(content []byte) error) error {
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
		if err := s.OpenDetail(ctx, &subject.Subject, request, detail, lend); err != nil {
			return err
		}
	}
	return nil
}

// forgetSaid takes attributes out of what requests of a locked subject say in detail: a correction that was asked for holds the value as well, and
// one that is still open would bring it back. What does not open is deleted.
func (s *Service) forgetSaid(ctx context.Context, tx *store.Tx, subject *store.Subject, names []privacy.AttributeName) error {
	said, err := tx.RightsDetailsOf(ctx, subject.ID)
	if err != nil || len(said) == 0 {
		return err
	}
	if _, err := s.keyAtHand(ctx, subject.ID, subject.Slot); err != nil {
		if isDamage(err) { // a page that may be put back
			return nil
		}
		return err
	}
	w := &store.Writes{}
	for _, d := range said {
		rest, named, err := s.saidBut(ctx, subject, &d, names)
		switch {
		case errors.Is(err, keyring.ErrNotAuthentic):
			rest, named = nil, true
		case err != nil:
			return err
		}
		if !named {
			continue
		}
		d.Sealed = nil
		if len(rest) > 0 {
			if d.Sealed, err = s.SealDetail(ctx, subject, d.Request, rest); err != nil {
				return err
			}
		}
		w.PutRightsDetail(subject.ID, d)
	}
	return tx.Send(ctx, w)
}

// saidBut gives what a detail says without some attributes, and whether it named any of them.
func (s *Service) saidBut(ctx context.Context, subject *store.Subject, d *store.RightsDetail, names []privacy.AttributeName) (rest map[string]json.RawMessage, named bool, err error) {
	err = s.OpenDetail(ctx, subject, d.Request, d.Sealed, func(content []byte) error {
		var attributes map[privacy.AttributeName]json.RawMessage
		if json.Unmarshal(content, &rest) != nil || rest[saidAttributes] != nil && json.Unmarshal(rest[saidAttributes], &attributes) != nil {
			return privacy.Internal(nil, "read a request")
		}
		for _, name := range names {
			_, said := attributes[name]
			named = named || said
			delete(attributes, name)
		}
		if delete(rest, saidAttributes); len(attributes) > 0 {
			if rest[saidAttributes], err = json.Marshal(attributes); err != nil {
				return privacy.Internal(nil, "encode a request")
			}
		}
		return nil
	})
	return rest, named, err
}

// saidAttributes is where a request to correct values has them.
const saidAttributes = "attributes"
