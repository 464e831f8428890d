package store

import (
	"context"
	"slices"
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
// batches at a time, and has the new root signed. It reports whether it found more than it took. One node at a
// time does it; another that tries meanwhile returns at once. The entries of a batch keep their
// order; batches are taken in about the order they were made.
func (s *Store) Sequence(ctx context.Context, batches int, at time.Time, notary Notary) (more bool, err error) {
	return s.sequence(ctx, `SELECT pg_try_advisory_xact_lock(hashtext('consentry sequencer'))`, batches, at, notary)
}

// SequenceNow is Sequence for whoever needs to see in the log what was committed before the call: it waits for another node that is at it,
// and goes on from there.
func (s *Store) SequenceNow(ctx context.Context, batches int, at time.Time, notary Notary) (more bool, err error) {
	return s.sequence(ctx, `SELECT true FROM pg_advisory_xact_lock(hashtext('consentry sequencer'))`, batches, at, notary)
}

func (s *Store) sequence(ctx context.Context, lead string, batches int, at time.Time, notary Notary) (more bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		more = false
		var leader bool
		if err := tx.tx.QueryRow(ctx, lead).Scan(&leader); err != nil || !leader {
			return wrap(err, "become the sequencer")
		}
		pending, left, err := tx.pendingBatches(ctx, batches)
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
		more = left
		return nil
	})
	return more, err
}

// pendingBatch is a batch on the queue, with the packed leaf hashes of its entries.
type pendingBatch struct {
	ID     [16]byte
	Hashes []byte
}

// stepEntries bounds the entries of one step, unless its first batch alone has more.
const stepEntries = 20_000

// pendingBatches reads what the next step takes, and whether there is more.
func (t *Tx) pendingBatches(ctx context.Context, limit int) (pending []pendingBatch, more bool, err error) {
	rows, err := t.tx.Query(ctx, `SELECT batch_id, hashes FROM audit_batch ORDER BY batch_id LIMIT $1`, limit)
	if err != nil {
		return nil, false, wrap(err, "read pending audit batches")
	}
	pending, err = pgx.CollectRows(rows, pgx.RowToStructByPos[pendingBatch])
	entries := 0
	for i := range pending {
		if entries += len(pending[i].Hashes) / len(audit.Hash{}); i > 0 && entries > stepEntries {
			return pending[:i], true, nil
		}
	}
	return pending, len(pending) == limit, wrap(err, "read pending audit batches")
}

// appendToLog takes the hashes that were committed with the entries: an entry that has been changed or
// removed since is not what its leaf says, and is found by whoever verifies the log.
func (t *Tx) appendToLog(ctx context.Context, tree *audit.Tree, pending []pendingBatch, at time.Time, notary Notary) error {
	batches := make([][16]byte, len(pending))
	var leaves []audit.Hash
	for i := range pending {
		batches[i] = pending[i].ID
		leaves = append(leaves, unpackHashes(pending[i].Hashes)...)
	}
	if err := t.storeGrowth(ctx, tree.Append(leaves...), pending); err != nil {
		return err
	}
	if err := t.storeCheckpoint(ctx, tree, at, notary); err != nil {
		return err
	}
	_, err := t.tx.Exec(ctx, `DELETE FROM audit_batch WHERE batch_id = ANY($1)`, batches)
	return wrap(err, "take batches off the queue")
}

func (t *Tx) storeGrowth(ctx context.Context, growth audit.Growth, batches []pendingBatch) error {
	index := int64(growth.From) //nolint:gosec // a log never reaches 2^63
	_, err := t.tx.CopyFrom(ctx, pgx.Identifier{"audit_leaf"}, []string{"index", "batch_id", "hashes"},
		pgx.CopyFromSlice(len(batches), func(i int) ([]any, error) {
			row := []any{index, batches[i].ID, batches[i].Hashes}
			index += int64(len(batches[i].Hashes) / len(audit.Hash{}))
			return row, nil
		}))
	if err != nil || len(growth.Tiles) == 0 {
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

// ErrNotInLog is given where an entry has not been sequenced yet.
var ErrNotInLog = privacy.NotFound("entry_not_in_log", "the entry is not in the log; a fresh one is within a second or two")

// LeafIndex gives the place of an entry in the log. KindNotFound until it has been sequenced.
func (s *Store) LeafIndex(ctx context.Context, name audit.EntryName) (uint64, error) {
	var index int64
	err := s.pool.QueryRow(ctx, `SELECT index + $2 FROM audit_leaf WHERE batch_id = $1 AND $2 < octet_length(hashes) / 32`, [16]byte(name.BatchID), name.ID).Scan(&index)
	if isNoRows(err) {
		return 0, ErrNotInLog
	}
	return uint64(index), wrap(err, "find an entry in the log") //nolint:gosec // bounded by a check constraint
}

// LeafIndexes gives where batches begin in the log. Those that have not been sequenced are left out.
func (s *Store) LeafIndexes(ctx context.Context, batches []audit.BatchID) (map[audit.BatchID]uint64, error) {
	rows, err := s.pool.Query(ctx, `SELECT batch_id, index FROM audit_leaf WHERE batch_id = ANY($1)`, batchColumn(batches))
	if err != nil {
		return nil, wrap(err, "find batches in the log")
	}
	begin := make(map[audit.BatchID]uint64, len(batches))
	var id audit.BatchID
	var index int64
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &index}, func() error {
		begin[id] = uint64(index) //nolint:gosec // bounded by a check constraint
		return nil
	})
	return begin, wrap(err, "find batches in the log")
}

func batchColumn(batches []audit.BatchID) [][16]byte {
	return column(batches, func(b *audit.BatchID) [16]byte { return *b })
}

// Hashes implements audit.HashReader over the stored leaves and tiles.
func (s *Store) Hashes(ctx context.Context, level uint, from, to uint64) ([]audit.Hash, error) {
	if level == 0 {
		return s.leafHashes(ctx, from, to)
	}
	rows, err := s.pool.Query(ctx, `SELECT hash FROM audit_tile WHERE index >= $1 AND index < $2 AND level = $3 ORDER BY index`, int64(from), int64(to), int16(level)) //nolint:gosec // a log never reaches 2^63
	if err != nil {
		return nil, wrap(err, "read log hashes")
	}
	hashes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Hash, error) {
		var packed []byte
		err := row.Scan(&packed)
		return firstHash(packed), err
	})
	return hashes, wrap(err, "read log hashes")
}

func (s *Store) leafHashes(ctx context.Context, from, to uint64) ([]audit.Hash, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT index, hashes FROM audit_leaf
		WHERE index < $2 AND index >= coalesce((SELECT max(index) FROM audit_leaf WHERE index <= $1), 0) ORDER BY index`, int64(from), int64(to)) //nolint:gosec // a log never reaches 2^63
	if err != nil {
		return nil, wrap(err, "read log hashes")
	}
	hashes := make([]audit.Hash, 0, to-from)
	var index int64
	var packed []byte
	_, err = pgx.ForEachRow(rows, []any{&index, &packed}, func() error {
		for i, hash := range unpackHashes(packed) {
			if at := uint64(index) + uint64(i); at >= from && at < to { //nolint:gosec // bounded by a check constraint
				hashes = append(hashes, hash)
			}
		}
		return nil
	})
	return hashes, wrap(err, "read log hashes")
}

func packHashes(hashes []audit.Hash) []byte {
	packed := make([]byte, 0, len(hashes)*len(audit.Hash{}))
	for i := range hashes {
		packed = append(packed, hashes[i][:]...)
	}
	return packed
}

func unpackHashes(packed []byte) []audit.Hash {
	hashes := make([]audit.Hash, 0, len(packed)/len(audit.Hash{}))
	for part := range slices.Chunk(packed, len(audit.Hash{})) {
		hashes = append(hashes, firstHash(part))
	}
	return hashes
}

func firstHash(packed []byte) (hash audit.Hash) {
	copy(hash[:], packed)
	return hash
}
