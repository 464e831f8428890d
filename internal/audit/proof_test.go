package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

const provenSize = 600

func provenLog(t testing.TB, size int) (*shelf, *naive) {
	want := newNaive(size)
	var tree Tree
	var stored shelf
	stored.grow(t, &tree, want.leaves...)
	return &stored, want
}

// thorough tells for which sizes every index is tried: the small ones, and those about full tiles. The
// other sizes get a few indexes.
func thorough(size int) bool {
	return size <= 64 || size%256 <= 1 || size%256 == 255
}

func TestInclusionProofs(t *testing.T) {
	stored, want := provenLog(t, provenSize)
	for size := 1; size <= provenSize; size++ {
		root := want.mth(0, size)
		for index := range size {
			if !thorough(size) && index%37 != size%37 {
				continue
			}
			got, err := InclusionProof(t.Context(), stored, uint64(index), uint64(size))
			if err != nil {
				t.Fatalf("index %d of %d: %v", index, size, err)
			}
			if !slices.Equal(got, want.path(index, 0, size)) {
				t.Fatalf("index %d of %d: the path is not that of RFC 6962", index, size)
			}
			if err := VerifyInclusion(want.leaves[index], uint64(index), uint64(size), got, root); err != nil {
				t.Fatalf("index %d of %d: %v", index, size, err)
			}
		}
	}
}

func TestConsistencyProofs(t *testing.T) {
	stored, want := provenLog(t, provenSize)
	for to := 1; to <= provenSize; to++ {
		for from := 1; from <= to; from++ {
			if !thorough(to) && from%37 != to%37 {
				continue
			}
			got, err := ConsistencyProof(t.Context(), stored, uint64(from), uint64(to))
			if err != nil {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
			if !slices.Equal(got, want.subproof(from, 0, to, true)) {
				t.Fatalf("%d to %d: the proof is not that of RFC 6962", from, to)
			}
			if err := VerifyConsistency(uint64(from), uint64(to), got, want.mth(0, from), want.mth(0, to)); err != nil {
				t.Fatalf("%d to %d: %v", from, to, err)
			}
		}
	}
}

// A log three stored levels high: few reads, and right.
func TestProofsOfALargeLogReadLittle(t *testing.T) {
	const size = 70_001
	stored, want := provenLog(t, size)
	if len(stored.levels[16]) != 1 {
		t.Fatal("level 16 is not stored")
	}
	root := want.mth(0, size)
	for _, index := range []int{0, 255, 256, 40_000, 65_535, 65_536, 69_999, 70_000} {
		stored.calls, stored.hashes = 0, 0
		got, err := InclusionProof(t.Context(), stored, uint64(index), size)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyInclusion(want.leaves[index], uint64(index), size, got, root); err != nil {
			t.Fatal(err)
		}
		if stored.calls > 6 || stored.hashes > 6*256 {
			t.Errorf("index %d: %d reads of %d hashes", index, stored.calls, stored.hashes)
		}
	}
	for _, from := range []int{1, 255, 65_536, 65_537, 70_000} {
		got, err := ConsistencyProof(t.Context(), stored, uint64(from), size)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(uint64(from), size, got, want.mth(0, from), root); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProofsThatDoNotHold(t *testing.T) {
	stored, want := provenLog(t, 20)
	path, err := InclusionProof(t.Context(), stored, 7, 20)
	if err != nil {
		t.Fatal(err)
	}
	root := want.mth(0, 20)
	bent := slices.Clone(path)
	bent[2][0] ^= 1
	for name, err := range map[string]error{
		"another leaf":  VerifyInclusion(want.leaves[8], 7, 20, path, root),
		"another index": VerifyInclusion(want.leaves[7], 8, 20, path, root),
		"another shape": VerifyInclusion(want.leaves[7], 7, 16, path, root),
		"another root":  VerifyInclusion(want.leaves[7], 7, 20, path, want.mth(0, 19)),
		"bent":          VerifyInclusion(want.leaves[7], 7, 20, bent, root),
		"short":         VerifyInclusion(want.leaves[7], 7, 20, path[1:], root),
		"beyond":        VerifyInclusion(want.leaves[7], 20, 20, path, root),
		"no extension":  VerifyConsistency(7, 20, path, want.mth(0, 7), root),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestProofsThatCannotBeGiven(t *testing.T) {
	stored, _ := provenLog(t, 20)
	if _, err := InclusionProof(t.Context(), stored, 20, 20); privacy.KindOf(err) != privacy.KindInvalid {
		t.Errorf("an index beyond the log: %v", err)
	}
	if _, err := ConsistencyProof(t.Context(), stored, 8, 7); privacy.KindOf(err) != privacy.KindInvalid {
		t.Errorf("a log that shrinks: %v", err)
	}
	if _, err := InclusionProof(t.Context(), stored, 20, 21); err == nil {
		t.Error("a size beyond what is stored: no error")
	}
	if _, err := InclusionProof(t.Context(), miser{}, 3, 20); err == nil {
		t.Error("a store with too few hashes: no error")
	}
	if proof, err := ConsistencyProof(t.Context(), stored, 0, 7); err != nil || len(proof) != 0 {
		t.Errorf("from nothing: %v, %v", proof, err)
	}
}

type miser struct{}

func (miser) Hashes(context.Context, uint, uint64, uint64) ([]Hash, error) { return nil, nil }
