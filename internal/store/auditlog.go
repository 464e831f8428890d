package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Checkpoint is a stored point of the log: the tree as it stood, and the signed note about it.
type Checkpoint struct {
	Size     uint64
	Tree     audit.Tree
	Note     []byte
	SignedAt time.Time
}

// Notary vouches for the log with a key the database never sees.
type Notary interface {
	// Confirm checks that a stored checkpoint is one that was signed, and about this very tree: otherwise
	// whoever can write to the database could have another history signed.
	Confirm(tree *audit.Tree, note []byte) error
	// Sign signs a tree.
	Sign(tree *audit.Tree) (note []byte, err error)
}

// Sequence appends committed entries that are not in the log yet, a bounded number of
// batches at a time, and has the new root signed. One node at a time does it; another that tries
// meanwhile returns false at once, as does a call that finds nothing to do. The entries
// of a batch keep their order; batches are taken in about the order they were made.
func (s *Store) Sequence(ctx context.Context, batches int, at time.Time, notary Notary) (progress bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		progress = false
		var leader bool
		if err := tx.tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('consentry sequencer'))`).Scan(&leader); err != nil || !leader {
			return wrap(err, "become the sequencer")
		}
		pending, err := tx.pendingBatches(ctx, batches)
		if err != nil || len(pending) == 0 {
			return err
		}
		last, err := latestCheckpoint(ctx, tx.tx)
		if err != nil {
			return err
		}
		if last.Size > 0 {
			if err := notary.Confirm(&last.Tree, last.Note); err != nil {
				return err
			}
		}
		if err := tx.appendToLog(ctx, &last.Tree, pending, at, notary); err != nil {
			return err
		}
		progress = true
		return nil
	})
	return progress, err
}

// pendingBatch is a batch on the queue, and how many entries it was written with.
type pendingBatch struct {
	ID      [16]byte
	Entries int
}

// stepEntries bounds the entries of one step, unless its first batch alone has more.
const stepEntries = 20_000

func (t *Tx) pendingBatches(ctx context.Context, limit int) ([]pendingBatch, error) {
	rows, err := t.tx.Query(ctx, `SELECT batch_id, entries FROM audit_batch ORDER BY batch_id LIMIT $1`, limit)
	if err != nil {
		return nil, wrap(err, "read pending audit batches")
	}
	pending, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pendingBatch])
	entries := 0
	for i := range pending {
		if entries += pending[i].Entries; i > 0 && entries > stepEntries {
			return pending[:i], nil
		}
	}
	return pending, wrap(err, "read pending audit batches")
}

func (t *Tx) appendToLog(ctx context.Context, tree *audit.Tree, pending []pendingBatch, at time.Time, notary Notary) error {
	batches := make([][16]byte, len(pending))
	for i := range pending {
		batches[i] = pending[i].ID
	}
	rows, err := t.tx.Query(ctx, selectEntries+` WHERE batch_id = ANY($1) ORDER BY batch_id, id`, batches)
	if err != nil {
		return wrap(err, "read pending audit entries")
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return wrap(err, "read pending audit entries")
	}
	if !areComplete(pending, entries) {
		return privacy.NewError(privacy.KindInternal, "audit_entries_lost", "a batch on the audit queue does not have the entries it was written with")
	}
	leaves := make([]audit.Hash, len(entries))
	for i := range entries {
		leaves[i] = entries[i].LeafHash()
	}
	growth := tree.Append(leaves...)
	if err := t.storeGrowth(ctx, growth, entries); err != nil {
		return err
	}
	if err := t.storeCheckpoint(ctx, tree, at, notary); err != nil {
		return err
	}
	_, err = t.tx.Exec(ctx, `DELETE FROM audit_batch WHERE batch_id = ANY($1)`, batches)
	return wrap(err, "take batches off the queue")
}

// areComplete reports whether each batch has the entries it was written with, numbered from
// zero: one that has lost an entry is not made up for by another that has gained one.
func areComplete(pending []pendingBatch, entries []audit.Entry) bool {
	for _, batch := range pending {
		if len(entries) < batch.Entries {
			return false
		}
		for i := range batch.Entries {
			if name := entries[i].Name; name.BatchID != batch.ID || int(name.ID) != i {
				return false
			}
		}
		entries = entries[batch.Entries:]
	}
	return len(entries) == 0
}

func (t *Tx) storeGrowth(ctx context.Context, growth audit.Growth, entries []audit.Entry) error {
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"audit_leaf"}, []string{"index", "batch_id", "id", "hash"},
		pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
			name := entries[i].Name
			return []any{int64(growth.From) + int64(i), [16]byte(name.BatchID), name.ID, growth.Leaves[i][:]}, nil //nolint:gosec // a log never reaches 2^63
		}))
	if err != nil {
		return wrap(err, "store leaves")
	}
	_, err = t.tx.CopyFrom(ctx, pgx.Identifier{"audit_tile"}, []string{"level", "index", "hash"},
		pgx.CopyFromSlice(len(growth.Tiles), func(i int) ([]any, error) {
			tile := &growth.Tiles[i]
			return []any{int16(tile.Level), int64(tile.Index), tile.Hash[:]}, nil //nolint:gosec // small numbers
		}))
	return wrap(err, "store tiles")
}

func (t *Tx) storeCheckpoint(ctx context.Context, tree *audit.Tree, at time.Time, notary Notary) error {
	note, err := notary.Sign(tree)
	if err != nil {
		return err
	}
	packed, err := tree.MarshalBinary()
	if err != nil {
		return privacy.Internal(err, "pack the tree")
	}
	_, err = t.tx.Exec(ctx, `INSERT INTO audit_checkpoint (size, tree, note, signed_at) VALUES ($1, $2, $3, $4)`, int64(tree.Size()), packed, note, at) //nolint:gosec // a log never reaches 2^63
	return wrap(err, "store a checkpoint")
}

// querier is the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// LatestCheckpoint reads the newest checkpoint; of an empty log, the zero one.
func (s *Store) LatestCheckpoint(ctx context.Context) (Checkpoint, error) {
	return latestCheckpoint(ctx, s.pool)
}

func latestCheckpoint(ctx context.Context, q querier) (Checkpoint, error) {
	return scanCheckpoint(q.QueryRow(ctx, `SELECT size, tree, note, signed_at FROM audit_checkpoint ORDER BY size DESC LIMIT 1`))
}

func scanCheckpoint(row pgx.Row) (Checkpoint, error) {
	var c Checkpoint
	var size int64
	var packed []byte
	err := row.Scan(&size, &packed, &c.Note, &c.SignedAt)
	if isNoRows(err) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return c, wrap(err, "read a checkpoint")
	}
	c.Size = uint64(size) //nolint:gosec // bounded by a check constraint
	if err := c.Tree.UnmarshalBinary(packed); err != nil {
		return c, privacy.Internal(err, "unpack the tree")
	}
	return c, nil
}

// LeafIndex gives the place of an entry in the log. KindNotFound until it has been sequenced.
func (s *Store) LeafIndex(ctx context.Context, name audit.EntryName) (uint64, error) {
	var index int64
	err := s.pool.QueryRow(ctx, `SELECT index FROM audit_leaf WHERE batch_id = $1 AND id = $2`, [16]byte(name.BatchID), name.ID).Scan(&index)
	if isNoRows(err) {
		return 0, privacy.NotFound("entry_not_in_log", "the entry is not in the log; a fresh one is within a second or two")
	}
	return uint64(index), wrap(err, "find an entry in the log") //nolint:gosec // bounded by a check constraint
}

// Hashes implements audit.HashReader over the stored leaves and tiles.
func (s *Store) Hashes(ctx context.Context, level uint, from, to uint64) ([]audit.Hash, error) {
	query, args := `SELECT hash FROM audit_leaf WHERE index >= $1 AND index < $2 ORDER BY index`, []any{int64(from), int64(to)} //nolint:gosec // a log never reaches 2^63
	if level > 0 {
		query = `SELECT hash FROM audit_tile WHERE index >= $1 AND index < $2 AND level = $3 ORDER BY index`
		args = append(args, int16(level)) //nolint:gosec // at most 56
	}
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, wrap(err, "read log hashes")
	}
	hashes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (hash audit.Hash, err error) {
		var raw []byte
		if err = row.Scan(&raw); err == nil {
			copy(hash[:], raw)
		}
		return hash, err
	})
	return hashes, wrap(err, "read log hashes")
}
