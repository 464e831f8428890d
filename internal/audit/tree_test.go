package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"pgregory.net/rapid"
)

// naive is RFC 6962 §2.1 word for word, over D[lo:hi] of a list of leaf hashes.
type naive struct {
	leaves []Hash
	memo   map[[2]int]Hash
}

func newNaive(n int) *naive {
	t := &naive{memo: map[[2]int]Hash{}}
	for i := range n {
		t.leaves = append(t.leaves, testLeaf(i))
	}
	return t
}

func testLeaf(i int) Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte{0}, uint64(i)))
}

// split is the largest power of two smaller than n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func (t *naive) mth(lo, hi int) Hash {
	switch hi - lo {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return t.leaves[lo]
	}
	if h, ok := t.memo[[2]int{lo, hi}]; ok {
		return h
	}
	k := split(hi - lo)
	left, right := t.mth(lo, lo+k), t.mth(lo+k, hi)
	h := Hash(sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:])))
	t.memo[[2]int{lo, hi}] = h
	return h
}

// path is PATH(m, D[lo:hi]).
func (t *naive) path(m, lo, hi int) []Hash {
	if hi-lo == 1 {
		return nil
	}
	k := split(hi - lo)
	if m < k {
		return append(t.path(m, lo, lo+k), t.mth(lo+k, hi))
	}
	return append(t.path(m-k, lo+k, hi), t.mth(lo, lo+k))
}

// subproof is SUBPROOF(m, D[lo:hi], b).
func (t *naive) subproof(m, lo, hi int, b bool) []Hash {
	if m == hi-lo {
		if b {
			return nil
		}
		return []Hash{t.mth(lo, hi)}
	}
	k := split(hi - lo)
	if m <= k {
		return append(t.subproof(m, lo, lo+k, b), t.mth(lo+k, hi))
	}
	return append(t.subproof(m-k, lo+k, hi, false), t.mth(lo, lo+k))
}

// shelf is a store of hashes in memory, kept by what Append says to store.
type shelf struct {
	levels map[uint][]Hash
	calls  int
	hashes int
}

// grow appends leaves to a tree, and stores what is to be stored.
func (s *shelf) grow(t testing.TB, tree *Tree, leaves ...Hash) {
	t.Helper()
	g := tree.Append(leaves...)
	if s.levels == nil {
		s.levels = map[uint][]Hash{}
	}
	if g.From != uint64(len(s.levels[0])) {
		t.Fatalf("growth from %d, want %d", g.From, len(s.levels[0]))
	}
	s.levels[0] = append(s.levels[0], leaves...)
	for _, n := range g.Tiles {
		if n.Index != uint64(len(s.levels[n.Level])) {
			t.Fatalf("tile %d of level %d, want %d", n.Index, n.Level, len(s.levels[n.Level]))
		}
		s.levels[n.Level] = append(s.levels[n.Level], n.Hash)
	}
}

func (s *shelf) Hashes(_ context.Context, level uint, from, to uint64) ([]Hash, error) {
	if to > uint64(len(s.levels[level])) || from >= to || to-from > 256 {
		return nil, fmt.Errorf("asked for %d to %d of level %d, which has %d", from, to, level, len(s.levels[level]))
	}
	s.calls++
	s.hashes += int(to - from)
	return s.levels[level][from:to], nil
}

// The leaves and roots with which implementations of Certificate Transparency are tested.
func TestTreeKnownRoots(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var tree Tree
	for i := range roots {
		if got := tree.Root().String(); got != roots[i] {
			t.Errorf("root of %d leaves is %s, want %s", i, got, roots[i])
		}
		if i < len(leaves) {
			data, err := hex.DecodeString(leaves[i])
			if err != nil {
				t.Fatal(err)
			}
			tree.Append(Hash(rfc6962.DefaultHasher.HashLeaf(data)))
		}
	}
}

// However a tree is cut into batches, stopped and started again: same root, same stored nodes.
func TestTreeResumes(t *testing.T) {
	const most = 3_000
	want := newNaive(most)
	rapid.Check(t, func(rt *rapid.T) {
		var tree Tree
		var stored shelf
		for tree.Size() < most && rapid.IntRange(0, 9).Draw(rt, "stop") > 0 {
			n := min(rapid.IntRange(0, 700).Draw(rt, "leaves"), most-int(tree.Size()))
			stored.grow(t, &tree, want.leaves[tree.Size():int(tree.Size())+n]...)
			state, err := tree.MarshalBinary()
			if err != nil {
				rt.Fatal(err)
			}
			tree = Tree{}
			if err := tree.UnmarshalBinary(state); err != nil {
				rt.Fatal(err)
			}
			if tree.Root() != want.mth(0, int(tree.Size())) {
				rt.Fatalf("wrong root at %d", tree.Size())
			}
		}
		if got := len(stored.levels[8]); got != int(tree.Size())/256 {
			rt.Fatalf("%d tiles for %d leaves", got, tree.Size())
		}
		for i, h := range stored.levels[8] {
			if h != want.mth(i*256, (i+1)*256) {
				rt.Fatalf("tile %d is wrong", i)
			}
		}
	})
}

func TestTreeAgreesWithCompactRange(t *testing.T) {
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := factory.NewEmptyRange(0)
	var tree Tree
	for i := range 1_000 {
		h := testLeaf(i)
		tree.Append(h)
		if err := r.Append(h[:], nil); err != nil {
			t.Fatal(err)
		}
		if root, _ := r.GetRootHash(nil); Hash(root) != tree.Root() {
			t.Fatalf("roots differ at %d", i+1)
		}
		if !slices.Equal(toHashes(r.Hashes()), tree.edge) {
			t.Fatalf("edges differ at %d", i+1)
		}
	}
}

func TestTreeStateIsStrict(t *testing.T) {
	var tree Tree
	tree.Append(newNaive(5).leaves...)
	good, _ := tree.MarshalBinary()
	for name, bad := range map[string][]byte{
		"nothing": {}, "version": append([]byte{2}, good[1:]...), "short": good[:len(good)-1], "long": append(slices.Clone(good), 0),
		"a hash missing": good[:len(good)-32], "another size": append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 7}, good[9:]...),
	} {
		if err := new(Tree).UnmarshalBinary(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzTreeState(f *testing.F) {
	var tree Tree
	tree.Append(newNaive(5).leaves...)
	state, _ := tree.MarshalBinary()
	f.Add(state)
	f.Fuzz(func(t *testing.T, b []byte) {
		var tree Tree
		if tree.UnmarshalBinary(b) != nil {
			return
		}
		tree.Root()
		if again, _ := tree.MarshalBinary(); !slices.Equal(again, b) {
			t.Fatal("two spellings of one state")
		}
	})
}
