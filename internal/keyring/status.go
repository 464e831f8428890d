package keyring

import (
	"context"
	"fmt"
)

// Status is what an operator sees of a keyring.
type Status struct {
	Backend    string // "vault" or "file"
	Reachable  bool
	KEKVersion int
	Pages      int // in the backend
	Cached     int // in this process
}

// Status looks at the backend. When it cannot, Reachable is false and the error says why.
func (k *Keyring) Status(ctx context.Context) (Status, error) {
	status := Status{Backend: k.backend.name(), Cached: k.pages.len()}
	if err := k.backend.ready(ctx); err != nil {
		return status, err
	}
	status.Reachable = true
	var err error
	if status.KEKVersion, err = k.backend.kekVersion(ctx); err != nil {
		return status, fmt.Errorf("read the KEK's version: %w", err)
	}
	pages, err := k.pageNumbers(ctx)
	status.Pages = len(pages)
	return status, err
}

// VerifyReport says what a check of every page found.
type VerifyReport struct {
	Pages     int
	Live      int      // slots that derive
	Erased    int      // slots punctured
	Unsettled []PageNo // have versions left to destroy: run Sweep
	Damaged   []PageNo // missing, do not unwrap in their place, or are not well formed
}

// Verify reads every page past the cache: that it unwraps in its place and covers no slot twice.
// Damage is in the report; an error means that the check could not be finished.
func (k *Keyring) Verify(ctx context.Context) (VerifyReport, error) {
	var report VerifyReport
	pages, err := k.pageNumbers(ctx)
	if err != nil {
		return report, fmt.Errorf("verify: %w", err)
	}
	for _, page := range pages {
		report.Pages++
		t, _, err := k.readPage(ctx, page)
		if isDamage(err) {
			report.Damaged = append(report.Damaged, page)
			continue
		}
		if err != nil {
			return report, fmt.Errorf("verify: %w", err)
		}
		live := t.live()
		report.Live += live
		report.Erased += PageSize - live
		versions, err := k.backend.versions(ctx, pageRecord(page))
		if err != nil {
			return report, fmt.Errorf("verify: %w", err)
		}
		if len(versions) > 1 {
			report.Unsettled = append(report.Unsettled, page)
		}
	}
	return report, nil
}
