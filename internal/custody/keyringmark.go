package custody

import (
	"context"

	"github.com/consentry/consentry/internal/privacy"
)

var errOtherKeyring = privacy.Conflict("keyring_mismatch", "what is in this database is sealed under another keyring: start with that one (the same Vault mounts, or the same keyring folder), or with another database")

// ClaimKeyring makes sure that the keyring is the one the database was written under; an empty database takes it for its own. It is
// run at start: with another keyring nobody would be found, and what is stored would open to nobody else.
func (s *Service) ClaimKeyring(ctx context.Context) error {
	same, err := s.store.ClaimKeyring(ctx, s.keyring.Fingerprint([]byte("keyring mark")), s.instant())
	if err == nil && !same {
		err = errOtherKeyring
	}
	return err
}
