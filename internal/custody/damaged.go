package custody

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// Damaged says of which subjects something cannot be opened where it is, and why of each. Trying again does not help, so whoever is about
// many leaves them out and goes on with the others.
type Damaged map[privacy.SubjectID]error

// Error implements error.
func (d Damaged) Error() string { return fmt.Sprintf("of %d subjects something is damaged", len(d)) }

// Unwrap gives the reasons.
func (d Damaged) Unwrap() []error { return slices.Collect(maps.Values(d)) }

// isDamage reports whether an error is about one subject, or those of one key page, and will be the same the next time.
func isDamage(err error) bool {
	return err != nil && slices.ContainsFunc([]error{keyring.ErrPageMissing, keyring.ErrPageCorrupt, keyring.ErrPunctured, keyring.ErrNoSuchSlot, keyring.ErrNotAuthentic, errStateUnreadable},
		func(known error) bool { return errors.Is(err, known) })
}
