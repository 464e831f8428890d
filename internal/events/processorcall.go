package events

import (
	"context"
	"net/http"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/webhook"
)

// SignedCall is what a processor says, as a Standard Webhook.
type SignedCall struct {
	ID, Timestamp, Signature string // of the headers
	Body                     []byte
}

// VerifyProcessor makes sure that a processor has signed what it says with its own secret. That there is no such processor, or that it
// has been retired, is told apart from a wrong signature by nobody.
func (s *Service) VerifyProcessor(ctx context.Context, name string, call SignedCall) (privacy.ProcessorID, error) {
	id, err := privacy.ParseProcessorID(name)
	if err != nil {
		return id, webhook.ErrNotAuthentic
	}
	p, err := s.store.Processor(ctx, id)
	if privacy.KindOf(err) == privacy.KindNotFound && err != nil || err == nil && p.Secret == "" {
		return id, webhook.ErrNotAuthentic
	}
	if err != nil {
		return id, err
	}
	secrets, err := s.secrets(ctx, &p)
	if err != nil {
		return id, err
	}
	header := make(http.Header, 3)
	header.Set(webhook.HeaderID, call.ID)
	header.Set(webhook.HeaderTimestamp, call.Timestamp)
	header.Set(webhook.HeaderSignature, call.Signature)
	return id, webhook.Verify(header, call.Body, s.vault.Instant(), secrets...)
}

// ProcessorsOf lists the processors that an application is, as which they ask for data and for events.
func (s *Service) ProcessorsOf(ctx context.Context, client privacy.ClientID) ([]privacy.ProcessorID, error) {
	all, err := s.store.Processors(ctx)
	var ids []privacy.ProcessorID
	for i := range all {
		if client != "" && all[i].Client == client && all[i].RetiredAt.IsZero() {
			ids = append(ids, all[i].ID)
		}
	}
	return ids, err
}
