package importer

import (
	"context"
	"fmt"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// worker stores parts, one after the other.
type worker struct {
	vault    Vault
	patience time.Duration
	now      func() time.Time
	newest   int64 // see part.tally
}

// run works until the queue ends. Every part it takes is done afterwards, well or badly. Impatient ends
// when waiting for a vault that is away has no point any more; work, when nothing has.
func (w *worker) run(impatient, work context.Context, queue <-chan *part) {
	failed := false
	for p := range queue {
		if failed {
			p.err = privacy.Unavailable(nil, "interrupted", "an earlier part of the import failed") // never told: the earlier one is
		} else {
			p.err = w.store(impatient, work, p)
		}
		failed = p.err != nil
		close(p.done)
	}
}

// store stores a part, again and again while the vault is away, for as long as the patience lasts.
func (w *worker) store(impatient, work context.Context, p *part) error {
	if ahead := w.newest - w.now().UnixMilli(); ahead >= 0 && ahead < 10 {
		wait(work, work, time.Duration(ahead+1)*time.Millisecond) // so that ids tell this part from the one before
	}
	var until time.Time
	for gap := firstWait; ; gap = min(2*gap, longestGap) {
		stored, err := w.vault.Store(work, p.records)
		if err == nil && len(stored) != len(p.records) {
			err = privacy.Internal(fmt.Errorf("%d results for %d records", len(stored), len(p.records)), "store records")
		}
		if err == nil {
			p.tally(stored, w.newest)
			w.newest = p.newest
			return nil
		}
		if kind := privacy.KindOf(err); kind != privacy.KindUnavailable && kind != privacy.KindRateLimited {
			return err
		}
		if until.IsZero() {
			until = w.now().Add(w.patience)
		}
		if w.now().Add(gap).After(until) || !wait(impatient, work, gap) {
			return err
		}
		p.repeated = true
	}
}

// wait waits, and reports false when one of the contexts ended meanwhile.
func wait(impatient, work context.Context, gap time.Duration) bool {
	timer := time.NewTimer(gap)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-impatient.Done():
		return false
	case <-work.Done():
		return false
	}
}
