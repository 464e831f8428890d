package audit

import (
	"context"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/consentry/consentry/internal/privacy"
)

// HashReader reads the hashes that [Tree.Append] gave to store.
type HashReader interface {
	// Hashes gives those at indexes from ≤ i < to of a level (0, 8, 16, …), in order. It is asked
	// for 256 at most, and only for those that exist in a tree of the size in question.
	Hashes(ctx context.Context, level uint, from, to uint64) ([]Hash, error)
}

// InclusionProof proves that the leaf at the index is in the log of the given size (RFC 6962
// §2.1.1). It reads a few hundred hashes per eight levels of the tree.
func InclusionProof(ctx context.Context, r HashReader, index, size uint64) ([]Hash, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, privacy.Invalid("not_in_log", "the entry is not in a log of this size; wait for the next checkpoint")
	}
	return newTiles(r, size).prove(ctx, nodes)
}

// InclusionProofs is [InclusionProof] for several leaves: what their paths share is read and hashed once.
func InclusionProofs(ctx context.Context, r HashReader, indexes []uint64, size uint64) ([][]Hash, error) {
	tiles := newTiles(r, size)
	paths := make([][]Hash, len(indexes))
	for i, index := range indexes {
		nodes, err := proof.Inclusion(index, size)
		if err != nil {
			return nil, privacy.Invalid("not_in_log", "the entry is not in a log of this size; wait for the next checkpoint")
		}
		if paths[i], err = tiles.prove(ctx, nodes); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// ConsistencyProof proves that the log of size to extends the one of size from (RFC 6962 §2.1.2).
// From nothing, or from itself, every log follows, and the proof is empty.
func ConsistencyProof(ctx context.Context, r HashReader, from, to uint64) ([]Hash, error) {
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, privacy.Invalid("invalid_range", "a consistency proof leads from a smaller log to a larger one")
	}
	return newTiles(r, to).prove(ctx, nodes)
}

// VerifyInclusion checks an inclusion proof against the root of a checkpoint.
func VerifyInclusion(leaf Hash, index, size uint64, path []Hash, root Hash) error {
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], toBytes(path), root[:]); err != nil {
		return privacy.Invalid("proof_invalid", "the inclusion proof does not lead to the root")
	}
	return nil
}

// VerifyConsistency checks a consistency proof between two checkpoints.
func VerifyConsistency(from, to uint64, path []Hash, fromRoot, toRoot Hash) error {
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, to, toBytes(path), fromRoot[:], toRoot[:]); err != nil {
		return privacy.Invalid("proof_invalid", "the consistency proof does not lead from one root to the other")
	}
	return nil
}

func (t *tiles) prove(ctx context.Context, nodes proof.Nodes) ([]Hash, error) {
	hashes := make([]Hash, len(nodes.IDs))
	for i, id := range nodes.IDs {
		var err error
		if hashes[i], err = t.node(ctx, id); err != nil {
			return nil, err
		}
	}
	path, err := nodes.Rehash(toBytes(hashes), rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, privacy.Internal(err, "put a proof together")
	}
	return toHashes(path), nil
}

// tiles gives nodes of the tree from stored hashes, reading each run of 256 once: the siblings
// on a path share theirs.
type tiles struct {
	reader HashReader
	size   uint64 // of the tree, in leaves
	read   map[compact.NodeID][]Hash
	nodes  map[compact.NodeID]Hash // that were worked out
}

func newTiles(r HashReader, size uint64) *tiles {
	return &tiles{reader: r, size: size, read: map[compact.NodeID][]Hash{}, nodes: map[compact.NodeID]Hash{}}
}

// node gives the hash of a perfect subtree, from the nearest stored level below.
func (t *tiles) node(ctx context.Context, id compact.NodeID) (Hash, error) {
	if hash, ok := t.nodes[id]; ok {
		return hash, nil
	}
	up := id.Level % TileHeight
	base, first := id.Level-up, id.Index<<up
	tile, err := t.load(ctx, compact.NewNodeID(base, first>>TileHeight))
	if err != nil {
		return Hash{}, err
	}
	start := first % (1 << TileHeight)
	var sub Tree
	for _, h := range tile[start : start+1<<up] {
		sub.append(h, nil)
	}
	t.nodes[id] = sub.Root()
	return t.nodes[id], nil
}

func (t *tiles) load(ctx context.Context, id compact.NodeID) ([]Hash, error) {
	if hashes, ok := t.read[id]; ok {
		return hashes, nil
	}
	from := id.Index << TileHeight
	to := min(from+1<<TileHeight, t.size>>id.Level)
	hashes, err := t.reader.Hashes(ctx, id.Level, from, to)
	if err != nil {
		return nil, err
	}
	if uint64(len(hashes)) != to-from {
		return nil, privacy.Internal(nil, "read the audit log: stored hashes are missing")
	}
	t.read[id] = hashes
	return hashes, nil
}

func toBytes(hashes []Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func toHashes(raw [][]byte) []Hash {
	out := make([]Hash, len(raw))
	for i, h := range raw {
		out[i] = Hash(h)
	}
	return out
}
