package keyring

import (
	"context"
	"errors"
	"fmt"
)

// SweepReport says what a sweep found.
type SweepReport struct {
	Pages     int      // looked at
	Finished  int      // had older versions, now destroyed
	Destroyed int      // versions
	Damaged   []PageNo // left alone, because the newest version is not what a puncture of an older one gives
}

// Sweep finishes punctures that a crash cut short after the write: it destroys the older
// versions of every page that still has some, once it has made sure that the newest one
// is sound. A damaged page is reported and kept with all its versions.
func (k *Keyring) Sweep(ctx context.Context) (SweepReport, error) {
	var report SweepReport
	pages, err := k.pageNumbers(ctx)
	if err != nil {
		return report, fmt.Errorf("sweep: %w", err)
	}
	for _, page := range pages {
		destroyed, err := k.sweepPage(ctx, page)
		switch {
		case isDamage(err):
			report.Damaged = append(report.Damaged, page)
		case err != nil:
			return report, fmt.Errorf("sweep: %w", err)
		case destroyed > 0:
			report.Finished++
			report.Destroyed += destroyed
			k.pages.drop(page)
		}
		report.Pages++
	}
	return report, nil
}

func (k *Keyring) sweepPage(ctx context.Context, page PageNo) (destroyed int, err error) {
	versions, err := k.backend.versions(ctx, pageRecord(page))
	if err != nil || len(versions) < 2 {
		return 0, err
	}
	t, newest, err := k.readPage(ctx, page)
	if err != nil {
		return 0, err
	}
	after := t.expand()
	for _, version := range versions {
		if version >= newest {
			break
		}
		older, err := k.readPageVersion(ctx, page, version)
		if errors.Is(err, ErrPageMissing) {
			continue // deleted, not yet destroyed: nothing to compare with
		}
		if err != nil {
			return 0, err
		}
		if !after.descendsFrom(older.expand()) {
			return 0, fmt.Errorf("page %d: %w: it is not a puncture of version %d", page, ErrPageCorrupt, version)
		}
	}
	return k.settle(ctx, pageRecord(page), newest)
}

func isDamage(err error) bool {
	return errors.Is(err, ErrPageCorrupt) || errors.Is(err, ErrPageMissing)
}
