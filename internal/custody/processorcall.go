package custody

import (
	"context"
	"net/http"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/webhook"
)

// VerifyProcessor makes sure that a processor has signed what it says, as a Standard Webhook with its own secret. That there is no such
// processor, or that it has been retired, is told apart from a wrong signature by nobody.
func (s *Service) VerifyProcessor(ctx context.Context, id privacy.ProcessorID, header http.Header, body []byte) error {
	p, err := s.store.Processor(ctx, id)
	if privacy.KindOf(err) == privacy.KindNotFound && err != nil || err == nil && p.Secret == "" {
		return webhook.ErrNotAuthentic
	}
	if err != nil {
		return err
	}
	secrets, err := s.processorSecrets(ctx, &p)
	if err != nil {
		return err
	}
	return webhook.Verify(header, body, s.now(), secrets...)
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
