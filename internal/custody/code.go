package custody

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// codeDigits is the length of a code: with five tries, one guess in 20 million is right.
const codeDigits = 8

// NewCode draws a code that shows who is asking.
func (s *Service) NewCode() (privacy.Cleartext, error) {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(codeDigits), nil)
	n, err := rand.Int(s.random, limit)
	if err != nil {
		return privacy.Cleartext{}, privacy.Internal(err, "draw a code")
	}
	return privacy.NewCleartext(fmt.Sprintf("%0*d", codeDigits, n)), nil
}

// CodeHash is what is kept of a code.
func (s *Service) CodeHash(request privacy.RightsRequestID, code privacy.Cleartext) (hash [32]byte) {
	_ = code.Borrow(func(text string) error {
		hash = s.keyring.Fingerprint(append(append([]byte("request code\n"), request[:]...), text...))
		return nil
	})
	return hash
}

// QueueCode queues the message that brings a code to a verified address of a subject: email, else phone. Sent is false when the vault
// knows none, or has nobody to carry the message.
func (s *Service) QueueCode(ctx context.Context, w *store.Writes, id privacy.SubjectID, request privacy.RightsRequestID, code privacy.Cleartext, at, expires time.Time) (sent bool, err error) {
	return s.queueSecret(ctx, w, store.MessageCode, id, request, code, at, expires)
}

// QueueExportLink is QueueCode for the link to a file. It is not sent either where nobody has said where people reach the page of the link.
func (s *Service) QueueExportLink(ctx context.Context, w *store.Writes, id privacy.SubjectID, request privacy.RightsRequestID, token privacy.Cleartext, at, expires time.Time) (sent bool, err error) {
	if s.confirming.PublicURL == "" {
		return false, nil
	}
	return s.queueSecret(ctx, w, store.MessageExport, id, request, token, at, expires)
}

// queueSecret queues a message that brings a secret to a verified address of a subject: email, else phone.
func (s *Service) queueSecret(ctx context.Context, w *store.Writes, kind store.MessageKind, id privacy.SubjectID, request privacy.RightsRequestID, secret privacy.Cleartext, at, expires time.Time) (sent bool, err error) {
	for _, channel := range []mail.Channel{mail.Email, mail.SMS} {
		contact, ok, err := s.contact(ctx, id, channel)
		if err != nil {
			return false, err
		}
		if !ok || !contact.Verified || s.confirming.carrier(channel) == nil {
			continue
		}
		key, err := s.keyring.Subject(ctx, id, contact.Slot)
		if errors.Is(err, keyring.ErrPunctured) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		message := store.Message{Kind: kind, Subject: id, Record: request, Channel: string(channel), DueAt: at, ExpiresAt: expires}
		if message.ID, err = s.newID(); err != nil {
			return false, err
		}
		if message.Sealed, err = key.Seal(keyring.KindMessage, 1, 1, secret); err != nil {
			return false, err
		}
		w.PutMessage(&message)
		return true, nil
	}
	return false, nil
}

// WakeMessenger is called once a message is committed.
func (s *Service) WakeMessenger() { s.wakeMessenger() }

// codeText writes the message that brings a code.
func (s *Service) codeText(channel mail.Channel, language string, code privacy.Cleartext, expires time.Time) (text mail.Message, err error) {
	err = code.Borrow(func(digits string) (err error) {
		text, err = mail.Code(channel, language, mail.RequestCode{Controller: s.controller.Name, Code: digits, ExpiresAt: expires})
		return err
	})
	return text, err
}
