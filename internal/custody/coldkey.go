package custody

import (
	"context"
	"errors"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// A subject is not kept locked, nor a database connection held, while their key page is fetched: a keyring that is slow to
// answer would otherwise stop those who need no key, withdrawals first of all. A transaction that misses a page ends, and
// runs again once the page is there.

// coldKey says which slot's page is missing.
type coldKey struct{ slot privacy.KeySlot }

// Error implements error.
func (*coldKey) Error() string { return "the key page is not at hand" }

// keyAtHand gives the key of a locked subject, or the error that has [Service.withKeys] fetch it.
func (s *Service) keyAtHand(ctx context.Context, id privacy.SubjectID, slot privacy.KeySlot) (*keyring.Subject, error) {
	if !s.keyring.Warm(slot) {
		return nil, privacy.Unavailable(&coldKey{slot}, "key_not_at_hand", "the keys of the subject were not at hand; try again")
	}
	return s.keyring.Subject(ctx, id, slot)
}

// keyRounds is how often a page may be forgotten again before it was used.
const keyRounds = 5

// withKeys runs a transaction, and again for each key page that it misses.
func (s *Service) withKeys(ctx context.Context, transaction func() error) error {
	var err error
	for range keyRounds {
		err = transaction()
		cold := missingKey(err)
		if cold == nil {
			return err
		}
		if err := s.keyring.Fetch(ctx, cold.slot); err != nil {
			return err
		}
	}
	return err
}

// missingKey gives the page that a transaction missed, nil when it ended otherwise.
func missingKey(err error) *coldKey {
	var cold *coldKey
	if errors.As(err, &cold) {
		return cold
	}
	return nil
}
