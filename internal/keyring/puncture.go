package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// attempts bounds how often a change of a page starts over because somebody else
// changed it first.
const attempts = 32

// Puncture erases the keys of slots: once it returns, nothing that can be read anywhere but in
// older backups of Vault derives them, and this node has forgotten them. It may be repeated,
// and should be after any failure; slots already erased are no error. Pages are
// punctured one after the other, so a failure may leave some done.
func (k *Keyring) Puncture(ctx context.Context, slots ...privacy.KeySlot) error {
	_, err := k.Erase(ctx, slots...)
	return err
}

// Erase is Puncture that tells, of each page, which version lacks the slots.
func (k *Keyring) Erase(ctx context.Context, slots ...privacy.KeySlot) (map[PageNo]int, error) {
	byPage := make(map[PageNo][]int)
	for _, slot := range slots {
		if slot < 0 {
			return nil, ErrNoSuchSlot
		}
		byPage[PageOf(slot)] = append(byPage[PageOf(slot)], indexOf(slot))
	}
	versions := make(map[PageNo]int, len(byPage))
	for _, page := range slices.Sorted(maps.Keys(byPage)) {
		version, err := k.puncturePage(ctx, page, byPage[page])
		if err != nil {
			return nil, fmt.Errorf("puncture: %w", err)
		}
		versions[page] = version
	}
	return versions, nil
}

// Gone reports whether nothing is left of a page: no version that was not destroyed. One that was merely deleted can be had again where it lies, and is not
// gone. A gone one can come back from a backup of Vault alone; who relies on its being gone has to look again.
func (k *Keyring) Gone(ctx context.Context, page PageNo) (bool, error) {
	versions, err := k.backend.versions(ctx, pageRecord(page))
	if err != nil {
		return false, fmt.Errorf("page %d: %w", page, err)
	}
	return len(versions) == 0, nil
}

// puncturePage gives the version of the page that lacks the slots and was verified.
func (k *Keyring) puncturePage(ctx context.Context, page PageNo, erased []int) (int, error) {
	// Also when it fails: the write may have happened.
	defer k.pages.drop(page)
	for range attempts {
		before, version, err := k.readPage(ctx, page)
		if err != nil {
			return 0, err
		}
		written, err := k.writePunctured(ctx, page, before, version, erased)
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("page %d: %w", page, err)
		}
		verified, err := k.verifyPuncture(ctx, page, before.expand(), written, erased)
		if err != nil {
			return 0, err
		}
		if _, err := k.settle(ctx, pageRecord(page), verified); err != nil {
			return 0, fmt.Errorf("page %d: destroy older versions: %w", page, err)
		}
		return verified, nil
	}
	return 0, fmt.Errorf("page %d: %w", page, ErrBusy)
}

// writePunctured writes the page without the erased slots, unless that changes nothing,
// and gives the version that lacks them.
func (k *Keyring) writePunctured(ctx context.Context, page PageNo, before tree, version int, erased []int) (int, error) {
	if !slices.ContainsFunc(erased, func(index int) bool { _, live := before.find(index); return live }) {
		return version, nil
	}
	plain := before.without(erased).encode()
	defer clear(plain)
	wrapped, err := k.backend.wrap(ctx, plain, pageRecord(page))
	if err != nil {
		return 0, err
	}
	return k.backend.write(ctx, pageRecord(page), wrapped, version)
}

// verifyPuncture reads the page back and makes sure that nothing was lost or put in: the
// erased slots do not derive, and every other derives as before. Only when others have
// written since may more slots be gone, and that is for their own check to answer.
// It gives the version it vouches for.
func (k *Keyring) verifyPuncture(ctx context.Context, page PageNo, before *leaves, written int, erased []int) (int, error) {
	t, newest, err := k.readPage(ctx, page)
	if err != nil {
		return 0, err
	}
	after := t.expand()
	for _, index := range erased {
		if after.live[index] {
			return 0, fmt.Errorf("page %d: %w: a punctured slot still derives", page, ErrPageCorrupt)
		}
		before.live[index] = false
	}
	if !after.descendsFrom(before) || (newest == written && after.live != before.live) {
		return 0, fmt.Errorf("page %d: %w: another slot does not derive as before", page, ErrPageCorrupt)
	}
	return newest, nil
}
