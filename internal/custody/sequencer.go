package custody

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// sequenceEvery is how often the sequencer looks for entries: a checkpoint follows an entry
// within a second.
const sequenceEvery = 250 * time.Millisecond

// RunSequencer appends committed entries to the log until ctx ends. Every node runs it; one at
// a time does the work.
func (s *Service) RunSequencer(ctx context.Context) {
	ticker := time.NewTicker(sequenceEvery)
	defer ticker.Stop()
	for {
		if err := s.Sequence(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "sequencing the audit log failed; trying again", slog.String("code", privacy.CodeOf(err)))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// sequenceBatches bounds the batches of one step, and with them the size of its transaction.
const sequenceBatches = 500

// Sequence appends what has been committed so far to the log and signs checkpoints.
func (s *Service) Sequence(ctx context.Context) error {
	for {
		progress, err := s.store.Sequence(ctx, sequenceBatches, s.instant(), func(tree *audit.Tree) ([]byte, error) {
			return s.signCheckpoint(ctx, tree)
		})
		if err != nil || !progress {
			return err
		}
	}
}

// signCheckpoint signs the tree with the newest key. When the key has been rotated since its public half
// was read, the signature is refused and the next attempt reads it again.
func (s *Service) signCheckpoint(ctx context.Context, tree *audit.Tree) ([]byte, error) {
	keys, err := s.keyring.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	newest := slices.Max(slices.Collect(maps.Keys(keys)))
	key := audit.Key{Name: s.origin, Public: keys[newest]}
	return audit.SignCheckpoint(ctx, tree.Checkpoint(s.origin), key, func(ctx context.Context, message []byte) ([]byte, error) {
		signature, _, err := s.keyring.Sign(ctx, message)
		return signature, err
	})
}

// CheckpointKeys lists the public keys that checkpoints may be signed with, oldest first.
func (s *Service) CheckpointKeys(ctx context.Context) ([]audit.Key, error) {
	publics, err := s.keyring.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	var keys []audit.Key
	for _, version := range slices.Sorted(maps.Keys(publics)) {
		keys = append(keys, audit.Key{Name: s.origin, Public: publics[version]})
	}
	return keys, nil
}
