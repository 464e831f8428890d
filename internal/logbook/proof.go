package logbook

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Checkpoint gives the newest signed checkpoint. KindNotFound while the log is empty.
func (b *Book) Checkpoint(ctx context.Context) (store.Checkpoint, error) {
	checkpoint, err := b.store.LatestCheckpoint(ctx)
	if err == nil && checkpoint.Size == 0 {
		return checkpoint, privacy.NotFound("no_checkpoint", "nothing has been recorded yet")
	}
	return checkpoint, err
}

// Inclusion proves that an entry is in the log of the newest checkpoint.
type Inclusion struct {
	Entry    audit.Entry
	Index    uint64
	LeafHash audit.Hash
	Path     []audit.Hash
	Size     uint64
	Note     []byte
}

// ProveInclusion makes the proof for one entry.
func (b *Book) ProveInclusion(ctx context.Context, name audit.EntryName) (*Inclusion, error) {
	entry, err := b.store.AuditEntry(ctx, name)
	if err != nil {
		return nil, err
	}
	index, err := b.leafIndex(ctx, name)
	if err != nil {
		return nil, err
	}
	checkpoint, err := b.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	path, err := audit.InclusionProof(ctx, b.store, index, checkpoint.Size)
	if err != nil {
		return nil, err
	}
	return &Inclusion{Entry: entry, Index: index, LeafHash: entry.LeafHash(), Path: path, Size: checkpoint.Size, Note: checkpoint.Note}, nil
}

// leafIndex gives the place of an entry in the log, and takes what has been committed into it first when the entry is not there yet.
func (b *Book) leafIndex(ctx context.Context, name audit.EntryName) (uint64, error) {
	index, err := b.store.LeafIndex(ctx, name)
	if privacy.KindOf(err) != privacy.KindNotFound {
		return index, err
	}
	if err := b.SequenceForProof(ctx); err != nil {
		return 0, err
	}
	return b.store.LeafIndex(ctx, name)
}

// proofWithin is how long a proof waits for the checkpoint that covers what it proves.
const proofWithin = 5 * time.Second

var errCheckpointPending = privacy.Unavailable(nil, "checkpoint_pending", "what is to be proven is not under a signed checkpoint yet; try again in a second")

// SequenceForProof takes what has been committed into the log, for whoever is to prove it. KindUnavailable when that takes too long.
func (b *Book) SequenceForProof(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, proofWithin)
	defer cancel()
	err := b.SequenceNow(within)
	if within.Err() != nil {
		return errCheckpointPending
	}
	return err
}

// ProveInclusions makes the proofs for several entries, all to one checkpoint: the newest.
func (b *Book) ProveInclusions(ctx context.Context, names []audit.EntryName) ([]Inclusion, error) {
	checkpoint, err := b.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	batches := batchesOf(names)
	entries, err := b.store.AuditBatches(ctx, batches)
	if err != nil {
		return nil, err
	}
	begin, err := b.store.LeafIndexes(ctx, batches)
	if err != nil {
		return nil, err
	}
	proofs, indexes := make([]Inclusion, len(names)), make([]uint64, len(names))
	for i, name := range names {
		entry, there := entries[name]
		first, logged := begin[name.BatchID]
		if !there || !logged {
			return nil, store.ErrNotInLog
		}
		indexes[i] = first + uint64(name.ID) //nolint:gosec // entries are counted from 0
		proofs[i] = Inclusion{Entry: entry, Index: indexes[i], LeafHash: entry.LeafHash(), Size: checkpoint.Size, Note: checkpoint.Note}
	}
	paths, err := audit.InclusionProofs(ctx, b.store, indexes, checkpoint.Size)
	if err != nil {
		return nil, err
	}
	for i := range proofs {
		proofs[i].Path = paths[i]
	}
	return proofs, nil
}

func batchesOf(names []audit.EntryName) []audit.BatchID {
	seen := make(map[audit.BatchID]bool)
	var batches []audit.BatchID
	for _, name := range names {
		if !seen[name.BatchID] {
			seen[name.BatchID] = true
			batches = append(batches, name.BatchID)
		}
	}
	return batches
}

// ProveConsistency proves that the log of size to extends the log of size from; to 0 means the
// newest checkpoint.
func (b *Book) ProveConsistency(ctx context.Context, from, to uint64) (path []audit.Hash, size uint64, err error) {
	checkpoint, err := b.Checkpoint(ctx)
	if err != nil {
		return nil, 0, err
	}
	if to == 0 {
		to = checkpoint.Size
	}
	if from > to || to > checkpoint.Size {
		return nil, 0, privacy.Invalid("invalid_range", "from is at most to, and to at most the size of the newest checkpoint")
	}
	path, err = audit.ConsistencyProof(ctx, b.store, from, to)
	return path, to, err
}
