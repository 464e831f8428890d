package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/store"
)

// newBatch makes the audit entries of a write, to be committed with it.
func (s *Service) newBatch(at time.Time, drafts []audit.Draft) (audit.Batch, error) {
	for i := range drafts {
		drafts[i].At = at
	}
	return audit.NewBatch(at, s.random, drafts, nil)
}

// record commits entries that describe no write, together with others that wait.
func (s *Service) record(ctx context.Context, drafts ...audit.Draft) error {
	_, err := s.batcher.Submit(ctx, drafts, nil)
	return err
}

// Entries lists audit entries, newest first, and says before which one to go on ([store.Store.AuditEntries]).
func (s *Service) Entries(ctx context.Context, filter store.AuditFilter) (entries []audit.Entry, next audit.EntryName, err error) {
	return s.store.AuditEntries(ctx, filter)
}

// EntryDetail is an entry with the decision it refers to, if any.
type EntryDetail struct {
	audit.Entry
	Decided *audit.Decision
}

// Entry reads one entry and its decision.
func (s *Service) Entry(ctx context.Context, name audit.EntryName) (EntryDetail, error) {
	entry, err := s.store.AuditEntry(ctx, name)
	if err != nil || entry.Decision.IsZero() {
		return EntryDetail{Entry: entry}, err
	}
	decision, err := s.store.Decision(ctx, entry.Decision)
	return EntryDetail{Entry: entry, Decided: &decision}, err
}
