package keyring

import (
	"errors"
	"fmt"

	"github.com/consentry/consentry/internal/privacy"
)

// The failures a caller may want to tell apart, with errors.Is. Each is a
// [privacy.Error]; none names a subject, a slot or a key.
var (
	// ErrPunctured: the slot's key was erased; what was sealed under it is gone for good.
	ErrPunctured = privacy.NewError(privacy.KindNotFound, "key_erased", "this subject has been erased")
	// ErrPageMissing: no such page, or somebody deleted it. It is never made anew on reading.
	ErrPageMissing = privacy.NewError(privacy.KindInternal, "key_page_missing", "a key page is missing; an operator must look into the keyring")
	// ErrPageCorrupt: the page does not unwrap in its place, or is not well formed.
	ErrPageCorrupt = privacy.NewError(privacy.KindInternal, "key_page_corrupt", "a key page is damaged; an operator must look into the keyring")
	// ErrUnavailable: Vault is away, sealed, slow, or refuses the token.
	ErrUnavailable = privacy.NewError(privacy.KindUnavailable, "keyring_unavailable", "the keyring cannot be reached; try again later")
	// ErrBusy: others kept changing the same page; trying again helps.
	ErrBusy = privacy.NewError(privacy.KindUnavailable, "keyring_busy", "the key page is being changed by others; try again")
	// ErrNotInitialised: Init has not been run against this Vault or directory.
	ErrNotInitialised = privacy.NewError(privacy.KindUnavailable, "keyring_not_initialised", "the keyring has not been set up; run the keys set-up first")
	// ErrKeysLost: there are pages, but a key they or the indexes depend on is not there. Init
	// refuses to put a fresh one in its place.
	ErrKeysLost = privacy.NewError(privacy.KindInternal, "keyring_keys_lost", "pages exist but a key of the keyring is missing; restore it")
	// ErrNotAuthentic: a sealed value does not open here: altered, or moved from another place.
	ErrNotAuthentic = privacy.NewError(privacy.KindInternal, "sealed_value_not_authentic", "a sealed value does not open in its place; an operator must look into the database")
	// ErrNotDev: the file-backed keyring was opened outside development.
	ErrNotDev = privacy.NewError(privacy.KindInternal, "file_keyring_outside_dev", "the file-backed keyring is for development only")
	// ErrNoSuchSlot: slots and pages are numbered from zero.
	ErrNoSuchSlot = privacy.NewError(privacy.KindInternal, "no_such_key_slot", "a key slot is a number from zero")
)

// How a backend says what its callers here must tell apart.
var (
	errAbsent   = errors.New("no such record")
	errConflict = errors.New("the record has moved on")
	errUnwrap   = errors.New("the record does not unwrap")
)

func unavailable(cause error) error { return fmt.Errorf("%w: %w", ErrUnavailable, cause) }
