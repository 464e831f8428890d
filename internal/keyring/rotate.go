package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
)

// RotateReport says what a rotation did.
type RotateReport struct {
	KEKVersion int  // the newest
	Resumed    bool // an earlier rotation was found unfinished and was finished instead
	Records    int  // pages and keys looked at
	Rewrapped  int  // of which so many were under an older KEK
}

// Rotate makes a new version of the KEK and wraps every page and key under it. If an
// earlier rotation was cut short it is finished, and no new version made. Nothing
// that the keys protect changes. (Transit's own rewrap cannot be used: it refuses ciphertexts
// with associated data.)
func (k *Keyring) Rotate(ctx context.Context) (RotateReport, error) {
	var report RotateReport
	names, err := k.recordNames(ctx)
	if err != nil {
		return report, fmt.Errorf("rotate: %w", err)
	}
	report.Records = len(names)
	if report.KEKVersion, err = k.backend.kekVersion(ctx); err != nil {
		return report, fmt.Errorf("rotate: %w", err)
	}
	report.Rewrapped, err = k.rewrapAll(ctx, names, report.KEKVersion)
	if err != nil {
		return report, fmt.Errorf("rotate: finish the last rotation: %w", err)
	}
	if report.Rewrapped > 0 {
		report.Resumed = true
		return report, nil
	}
	if err := k.backend.rotateKEK(ctx); err != nil {
		return report, fmt.Errorf("rotate: %w", err)
	}
	if report.KEKVersion, err = k.backend.kekVersion(ctx); err != nil {
		return report, fmt.Errorf("rotate: %w", err)
	}
	report.Rewrapped, err = k.rewrapAll(ctx, names, report.KEKVersion)
	if err != nil {
		return report, fmt.Errorf("rotate: %w", err)
	}
	return report, nil
}

func (k *Keyring) recordNames(ctx context.Context) ([]string, error) {
	names := []string{indexRecord, suppressionRecord, tokenRecord}
	pages, err := k.pageNumbers(ctx)
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		names = append(names, pageRecord(page))
	}
	return names, nil
}

func (k *Keyring) rewrapAll(ctx context.Context, names []string, kek int) (rewrapped int, err error) {
	for _, name := range names {
		changed, err := k.rewrap(ctx, name, kek)
		if err != nil {
			return rewrapped, fmt.Errorf("%s: %w", name, err)
		}
		if changed {
			rewrapped++
		}
	}
	return rewrapped, nil
}

// rewrap wraps one record under the newest KEK, if it is not yet, and destroys what an
// older KEK protects. A puncture at the same time wins, and is wrapped anew itself.
func (k *Keyring) rewrap(ctx context.Context, name string, kek int) (changed bool, err error) {
	for range attempts {
		rec, err := k.backend.read(ctx, name)
		if err != nil {
			return false, damaged(err)
		}
		if version, _, ok := splitVersioned(rec.wrapped); ok && version >= kek {
			return changed, k.settleKey(ctx, name, rec.version)
		}
		plain, err := k.backend.unwrap(ctx, rec.wrapped, name)
		if err != nil {
			return false, damaged(err)
		}
		err = k.writeRewrapped(ctx, name, plain, rec.version)
		clear(plain)
		if err != nil && !errors.Is(err, errConflict) {
			return false, err
		}
		changed = changed || err == nil
	}
	return false, ErrBusy
}

// settleKey destroys what a crash left of a key under an older KEK. What it left of a page
// is for Sweep, which compares the versions first.
func (k *Keyring) settleKey(ctx context.Context, name string, newest int) error {
	if strings.HasPrefix(name, pageFolder+"/") {
		return nil
	}
	_, err := k.settle(ctx, name, newest)
	return err
}

// writeRewrapped writes, reads back, compares, and then destroys the version it replaces.
func (k *Keyring) writeRewrapped(ctx context.Context, name string, plain []byte, newest int) error {
	wrapped, err := k.backend.wrap(ctx, plain, name)
	if err != nil {
		return err
	}
	written, err := k.backend.write(ctx, name, wrapped, newest)
	if err != nil {
		return err
	}
	rec, err := k.backend.readVersion(ctx, name, written)
	if errors.Is(err, errAbsent) {
		return errConflict // punctured and destroyed since: look again
	}
	if err != nil {
		return err
	}
	back, err := k.backend.unwrap(ctx, rec.wrapped, name)
	if err != nil {
		return damaged(err)
	}
	defer clear(back)
	if !bytes.Equal(plain, back) {
		return fmt.Errorf("%w: it reads back otherwise than written", ErrPageCorrupt)
	}
	return k.backend.destroy(ctx, name, []int{newest})
}

// damaged gives a record's failure the sentinel that callers know.
func damaged(err error) error {
	switch {
	case errors.Is(err, errAbsent):
		return ErrPageMissing
	case errors.Is(err, errUnwrap):
		return fmt.Errorf("%w: %w", ErrPageCorrupt, err)
	default:
		return err
	}
}
