package keyring

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

func TestPageOf(t *testing.T) {
	for slot, want := range map[privacy.KeySlot]struct {
		page  PageNo
		index int
	}{0: {0, 0}, 4095: {0, 4095}, 4096: {1, 0}, 4097: {1, 1}, 1 << 40: {1 << 28, 0}} {
		if PageOf(slot) != want.page || indexOf(slot) != want.index {
			t.Errorf("slot %d lies on page %d at %d", slot, PageOf(slot), indexOf(slot))
		}
	}
}

func TestChildIsHMAC(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		parent := key(rapid.SliceOfN(rapid.Byte(), keySize, keySize).Draw(r, "parent"))
		level, nibble := rapid.Byte().Draw(r, "level"), rapid.Byte().Draw(r, "nibble")
		if parent.child(level, nibble) != mac(parent[:], []byte("consentry page v1\x00"), []byte{level, nibble}) {
			r.Fatal("differs from crypto/hmac")
		}
	})
}

func drawTree(r *rapid.T) (fresh tree, erased []int) {
	root := key(rapid.SliceOfN(rapid.Byte(), keySize, keySize).Draw(r, "root"))
	// Close neighbours are the hard case, so erase in clusters, too.
	slot := rapid.OneOf(rapid.IntRange(0, PageSize-1), rapid.IntRange(0, 40), rapid.IntRange(PageSize-20, PageSize-1))
	return newTree(root), rapid.SliceOfN(slot, 0, 60).Draw(r, "erased")
}

func TestPunctureErasesOnlyWhatItShould(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fresh, erased := drawTree(r)
		before, after := fresh.expand(), fresh.without(erased)
		all, held := after.expand(), newPage(after)
		for slot := range PageSize {
			gone := slices.Contains(erased, slot)
			derived, live := held.derive(slot)
			if live == gone || all.live[slot] == gone {
				r.Fatalf("slot %d: live %v, erased %v", slot, live, gone)
			}
			if live && (derived != before.keys[slot] || all.keys[slot] != before.keys[slot]) {
				r.Fatalf("slot %d derives another key than before", slot)
			}
		}
		if !all.descendsFrom(before) {
			r.Fatal("a puncture does not descend from what was punctured")
		}
		if len(erased) > 0 && before.descendsFrom(all) {
			r.Fatal("what was punctured descends from the puncture")
		}
		if want := PageSize - len(slices.Compact(slices.Sorted(slices.Values(erased)))); after.live() != want {
			r.Fatalf("%d slots live, want %d", after.live(), want)
		}
	})
}

func TestPunctureInAnyOrderGivesOnePage(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fresh, erased := drawTree(r)
		shuffled := rapid.Permutation(erased).Draw(r, "order")
		oneByOne := fresh
		for _, slot := range shuffled {
			oneByOne = oneByOne.without([]int{slot})
		}
		if !bytes.Equal(fresh.without(erased).encode(), oneByOne.encode()) {
			r.Fatal("the order of punctures shows in the page")
		}
	})
}

func TestPunctureLeavesItsTreeAlone(t *testing.T) {
	before := newTree(key{1}).without([]int{77})
	encoded := before.encode()
	before.without([]int{76, 78, 4000})
	if !bytes.Equal(before.encode(), encoded) {
		t.Error("the punctured tree changed in place")
	}
}

// An encoding of the nodes on the path of an erased slot must not linger in the page.
func TestPuncturedPageHoldsNoAncestorOfTheErased(t *testing.T) {
	fresh := newTree(key{9})
	const slot = 0x4d2
	top := fresh[0].child(0x4)
	middle := top.child(0xd)
	leaf := middle.child(0x2)
	encoded := fresh.without([]int{slot}).encode()
	for _, secret := range []key{fresh[0].key, top.key, middle.key, leaf.key} {
		if bytes.Contains(encoded, secret[:]) {
			t.Error("the page still holds a node above the erased slot")
		}
	}
}

func TestPageEncodingReadsBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		fresh, erased := drawTree(r)
		encoded := fresh.without(erased).encode()
		parsed, err := parseTree(encoded)
		if err != nil {
			r.Fatal(err)
		}
		if !bytes.Equal(parsed.encode(), encoded) {
			r.Fatal("the page does not read back")
		}
	})
}

func TestFullyErasedPageReadsBack(t *testing.T) {
	every := make([]int, PageSize)
	for i := range every {
		every[i] = i
	}
	empty, err := parseTree(newTree(key{1}).without(every).encode())
	if err != nil || empty.live() != 0 {
		t.Fatalf("%d live, %v", empty.live(), err)
	}
	if _, live := newPage(empty).derive(0); live {
		t.Error("a slot of an empty page derives")
	}
}

func TestParserIsStrict(t *testing.T) {
	root := func(nodes ...node) []byte { return tree(nodes).encode() }
	at := func(level byte, path uint16) node { return node{prefix: prefix{level, path}} }
	good := root(at(1, 0), at(1, 1))
	for name, data := range map[string][]byte{
		"nothing":                   {},
		"no count":                  {pageFormat},
		"another version":           append([]byte{2}, good[1:]...),
		"a byte too many":           append(slices.Clone(good), 0),
		"a byte too few":            good[:len(good)-1],
		"a node too few":            good[:len(good)-nodeSize],
		"the same node twice":       root(at(1, 3), at(1, 3)),
		"not in order":              root(at(1, 1), at(1, 0)),
		"a node within the last":    root(at(1, 0), at(2, 0x0f)),
		"a node around the last":    root(at(3, 0x001), at(2, 0x00)),
		"a node beside the root":    root(at(0, 0), at(3, 0xfff)),
		"a level too deep":          root(at(4, 0)),
		"a path longer than level":  root(at(1, 0x10)),
		"a path where the root has": root(at(0, 1)),
	} {
		if _, err := parseTree(data); err == nil {
			t.Errorf("accepted: %s", name)
		}
	}
	if _, err := parseTree(good); err != nil {
		t.Errorf("refused a good page: %v", err)
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add([]byte{})
	f.Add(newTree(key{1}).encode())
	f.Add(newTree(key{1}).without([]int{0}).encode())
	f.Add(newTree(key{1}).without([]int{0, 1234, 4095}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseTree(data)
		if err != nil {
			return
		}
		if !bytes.Equal(parsed.encode(), data) {
			t.Fatal("two encodings of one page")
		}
		if parsed.live() > PageSize {
			t.Fatal("a slot is covered twice")
		}
		for _, slot := range []int{0, 1, 15, 16, 255, 256, 1234, PageSize - 1} {
			newPage(parsed).derive(slot)
		}
	})
}
