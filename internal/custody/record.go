package custody

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
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

// RecordStep puts what somebody did to an object of the vault on record, with the write that did it.
func (s *Service) RecordStep(ctx context.Context, tx *store.Tx, caller Caller, at time.Time, action audit.Action, object string) error {
	batch, err := s.newBatch(at, []audit.Draft{{Action: action, Client: caller.Client, Roles: caller.Roles, RequestID: caller.Request, Object: object, Actor: s.Actor(caller)}})
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, batch)
}

// Actor stands for the person who calls. Who works with the vault is personal data, so it is a keyed hash.
func (s *Service) Actor(caller Caller) privacy.ActorID {
	holder := caller.Holder[:]
	if caller.Holder == ([32]byte{}) {
		holder = []byte(caller.Client)
	}
	name := s.keyring.Fingerprint(append([]byte("actor\n"), holder...))
	return privacy.ActorID(hex.EncodeToString(name[:12]))
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
