package audit

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/consentry/consentry/internal/privacy"
)

// Tree is what a sequencer must know of a Merkle tree to append to it and to give its root: the
// size, and the roots of the perfect subtrees on its right edge, one for each 1 bit of the
// size (a compact range). The zero Tree is empty.
//
// It is stored with each checkpoint. Who loads it asks [Tree.Confirm] before appending.
type Tree struct {
	size uint64
	edge []Hash // widest subtree first
}

// TileHeight is how many levels of the tree lie between the hashes that are stored: the leaves, and
// the nodes at levels 8, 16, 24 and so on. The rest is recomputed from at most 256 of them.
const TileHeight = 8

// TileNode is an inner node that is stored: the root of 256 perfect subtrees of the level eight below.
type TileNode struct {
	Level uint   // 8, 16, 24, …; leaves are level 0
	Index uint64 // within the level, from zero
	Hash  Hash
}

// Growth is what appending adds to the stored hashes.
type Growth struct {
	From  uint64 // index of the first leaf
	Tiles []TileNode
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Root is the Merkle tree hash (RFC 6962 §2.1); of an empty tree it is the hash of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	last := len(t.edge) - 1
	root := t.edge[last]
	for _, left := range slices.Backward(t.edge[:last]) {
		root = nodeHash(left, root)
	}
	return root
}

// Append adds leaves and says what is to be stored with them.
func (t *Tree) Append(leaves ...Hash) Growth {
	growth := Growth{From: t.size}
	for _, leaf := range leaves {
		t.append(leaf, func(level uint, index uint64, hash Hash) {
			if level%TileHeight == 0 {
				growth.Tiles = append(growth.Tiles, TileNode{Level: level, Index: index, Hash: hash})
			}
		})
	}
	return growth
}

// append adds a leaf as a binary counter adds one: each subtree that it completes is merged with its
// left neighbour of the same size.
func (t *Tree) append(leaf Hash, completed func(level uint, index uint64, hash Hash)) {
	hash := leaf
	for level := uint(1); t.size>>(level-1)&1 == 1; level++ {
		last := len(t.edge) - 1
		hash = nodeHash(t.edge[last], hash)
		t.edge = t.edge[:last]
		if completed != nil {
			completed(level, t.size>>level, hash)
		}
	}
	t.edge = append(t.edge, hash)
	t.size++
}

const treeVersion = 1

// MarshalBinary implements encoding.BinaryMarshaler: a version byte, the size in eight bytes, big
// endian, and the hashes of the edge.
func (t *Tree) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, 9+len(t.edge)*len(Hash{})), treeVersion)
	b = binary.BigEndian.AppendUint64(b, t.size)
	for _, h := range t.edge {
		b = append(b, h[:]...)
	}
	return b, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (t *Tree) UnmarshalBinary(b []byte) error {
	if len(b) < 9 || b[0] != treeVersion {
		return privacy.Internal(nil, "read the state of the audit log")
	}
	size, hashes := binary.BigEndian.Uint64(b[1:9]), b[9:]
	if len(hashes) != bits.OnesCount64(size)*len(Hash{}) {
		return privacy.Internal(nil, "read the state of the audit log")
	}
	t.size, t.edge = size, nil
	for h := range slices.Chunk(hashes, len(Hash{})) {
		t.edge = append(t.edge, Hash(h))
	}
	return nil
}
