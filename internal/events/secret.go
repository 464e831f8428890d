package events

import (
	"context"

	"github.com/consentry/consentry/internal/webhook"
)

// newSecret draws a secret and seals it into the processor.
func (s *Service) newSecret(ctx context.Context, p *Processor) (webhook.Secret, error) {
	secret, err := webhook.NewSecret(s.random)
	if err != nil {
		return secret, err
	}
	p.Secret, err = s.vault.SealProcessorSecret(ctx, p.ID, secret[:])
	return secret, err
}

// secrets opens the secrets that are valid now, the current one first.
func (s *Service) secrets(ctx context.Context, p *Processor) ([]webhook.Secret, error) {
	sealed := []string{p.Secret}
	if p.FormerSecret != "" && s.vault.Instant().Before(p.FormerUntil) {
		sealed = append(sealed, p.FormerSecret)
	}
	secrets := make([]webhook.Secret, len(sealed))
	for i := range sealed {
		stored, err := s.vault.OpenProcessorSecret(ctx, p.ID, sealed[i])
		if err != nil {
			return nil, err
		}
		if secrets[i], err = webhook.SecretOf(stored); err != nil {
			return nil, err
		}
		clear(stored)
	}
	return secrets, nil
}
