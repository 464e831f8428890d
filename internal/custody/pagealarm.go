package custody

import (
	"context"
	"errors"
	"log/slog"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// pageAlarm raises the alarm when keys could not be taken away because their page is damaged or missing: nothing was destroyed, and it is tried
// again, in vain until somebody has looked. It gives the error back.
func (s *Service) pageAlarm(ctx context.Context, page keyring.PageNo, erasures int, err error) error {
	if errors.Is(err, keyring.ErrPageCorrupt) || errors.Is(err, keyring.ErrPageMissing) {
		s.pageFailures.Add(1)
		s.log.ErrorContext(ctx, "a key page failed its check, and erasures on it are not carried out: an operator must look into the keyring", slog.Int64("page", int64(page)), slog.Int("erasures", erasures), slog.String("code", privacy.CodeOf(err)))
	}
	return err
}

// PageFailures counts how often this process has found a key page damaged or missing that it was to take keys from.
func (s *Service) PageFailures() int64 { return s.pageFailures.Load() }
