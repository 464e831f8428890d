package custody

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// sequenceEvery is how often the sequencer looks for entries: a checkpoint follows an entry
// within a second.
const sequenceEvery = 500 * time.Millisecond

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

// Sequence appends what has been committed so far to the log and signs a checkpoint, or several when there is
// much. What is committed meanwhile waits for the next call: under load there is always something new, and
// a signature for every few entries would be most of what the key store does.
func (s *Service) Sequence(ctx context.Context) error { return s.sequence(ctx, s.store.Sequence) }

// SequenceNow is Sequence for whoever cannot wait for the next checkpoint: when it returns, there is one over everything that was
// committed before. Several who ask at once share what one of them signs, and wait for it without a database connection.
func (s *Service) SequenceNow(ctx context.Context) error {
	return s.sequencing.do(ctx, func(ctx context.Context) error { return s.sequence(ctx, s.store.SequenceNow) })
}

func (s *Service) sequence(ctx context.Context, step func(context.Context, int, time.Time, store.Notary) (bool, error)) error {
	for {
		more, err := step(ctx, sequenceBatches, s.instant(), &notary{service: s, ctx: ctx})
		if err != nil || !more {
			return err
		}
	}
}

// notary signs for one step of the sequencer.
type notary struct {
	service *Service
	ctx     context.Context //nolint:containedctx // lives for one call of Sequence
	keys    []audit.Key     // asked for once a step
}

// Confirm implements store.Notary.
func (n *notary) Confirm(tree *audit.Tree, note []byte) error {
	if err := n.askForKeys(); err != nil {
		return err
	}
	return tree.Confirm(note, n.service.origin, n.keys)
}

// Sign implements store.Notary. When the key has been rotated since its public half was read, the
// signature is refused and the next step reads it again.
func (n *notary) Sign(tree *audit.Tree) ([]byte, error) {
	if err := n.askForKeys(); err != nil {
		return nil, err
	}
	return audit.SignCheckpoint(n.ctx, tree.Checkpoint(n.service.origin), n.keys[len(n.keys)-1], func(ctx context.Context, message []byte) ([]byte, error) {
		signature, _, err := n.service.keyring.Sign(ctx, message)
		return signature, err
	})
}

func (n *notary) askForKeys() (err error) {
	if n.keys == nil {
		n.keys, err = n.service.CheckpointKeys(n.ctx)
	}
	return err
}

// CheckpointKeys lists the public keys that checkpoints may be signed with, oldest first.
func (s *Service) CheckpointKeys(ctx context.Context) ([]audit.Key, error) {
	return CheckpointKeys(ctx, s.keyring, s.origin)
}

// CheckpointKeys lists the public keys of a log's checkpoints, oldest first, from the keyring alone.
func CheckpointKeys(ctx context.Context, keys *keyring.Keyring, origin string) ([]audit.Key, error) {
	publics, err := keys.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]audit.Key, 0, len(publics))
	for _, version := range slices.Sorted(maps.Keys(publics)) {
		list = append(list, audit.Key{Name: origin, Public: publics[version]})
	}
	return list, nil
}
