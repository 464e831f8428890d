package keyring

import (
	"fmt"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// PageSize is how many subjects share a key page.
const PageSize = 4096

const (
	arityBits = 4
	arity     = 1 << arityBits
	depth     = 3
)

// PageNo is the number of a key page.
type PageNo int64

// PageOf gives the page on which a slot lies.
func PageOf(slot privacy.KeySlot) PageNo { return PageNo(slot / PageSize) }

func indexOf(slot privacy.KeySlot) int { return int(slot % PageSize) }

// prefix is where a node stands in its tree: the nibbles from the root, the first in
// the highest place. The root has level 0, a subject's key level 3.
type prefix struct {
	level byte
	path  uint16
}

func (p prefix) first() int { return int(p.path) << p.shift() }
func (p prefix) end() int   { return (int(p.path) + 1) << p.shift() }
func (p prefix) shift() int { return arityBits * (depth - int(p.level)) }

// node is a key of the tree from which the keys of all slots below it derive.
type node struct {
	prefix
	key key
}

func (n node) child(nibble int) node {
	level := n.level + 1
	return node{prefix{level, n.path<<arityBits | uint16(nibble)}, n.key.child(level, byte(nibble))} //nolint:gosec // a nibble is below 16
}

// tree is a page's keys: the fewest nodes that cover every slot not erased, ordered by
// the slots they cover, no two overlapping. It is never changed in place.
type tree []node

func newTree(root key) tree { return tree{{key: root}} }

// Format implements fmt.Formatter, redacted for every verb.
func (t tree) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "page of %d nodes", len(t)) }

// find gives the position of the node that covers the index, or where it would stand.
func (t tree) find(index int) (int, bool) {
	return slices.BinarySearchFunc(t, index, func(n node, index int) int {
		switch {
		case n.end() <= index:
			return -1
		case n.first() > index:
			return 1
		default:
			return 0
		}
	})
}

// descend computes the key of a level on the way to an index that the node covers.
func (n *node) descend(index int, to byte) key {
	k := n.key
	for level := n.level + 1; level <= to; level++ {
		k = k.child(level, nibbleAt(index, level))
	}
	return k
}

func nibbleAt(index int, level byte) byte {
	return byte(index>>(arityBits*(depth-int(level)))) & (arity - 1) //nolint:gosec // masked to a nibble
}

// without gives the tree that derives every key this one does, save those of the erased
// indexes.
func (t tree) without(erased []int) tree {
	punctured := slices.Clone(t)
	for _, index := range erased {
		if at, covered := punctured.find(index); covered {
			punctured = slices.Replace(punctured, at, at+1, punctured[at].siblings(index)...)
		}
	}
	return punctured
}

// siblings covers everything below the node but one index.
func (n node) siblings(erased int) []node {
	if n.level == depth {
		return nil
	}
	var rest []node
	for nibble := range arity {
		c := n.child(nibble)
		if c.first() <= erased && erased < c.end() {
			rest = append(rest, c.siblings(erased)...)
		} else {
			rest = append(rest, c)
		}
	}
	return rest
}

// leaves is every key of a page; live says which slots have one.
type leaves struct {
	keys [PageSize]key
	live [PageSize]bool
}

// expand derives every key the tree covers.
func (t tree) expand() *leaves {
	all := new(leaves)
	for _, n := range t {
		n.expandInto(all)
	}
	return all
}

func (n node) expandInto(all *leaves) {
	if n.level == depth {
		all.keys[n.path], all.live[n.path] = n.key, true
		return
	}
	for nibble := range arity {
		n.child(nibble).expandInto(all)
	}
}

// descendsFrom reports whether every key of the tree is a key of the older one: true of
// whatever punctures alone have made of it.
func (l *leaves) descendsFrom(older *leaves) bool {
	for i := range l.keys {
		if l.live[i] && (!older.live[i] || l.keys[i] != older.keys[i]) {
			return false
		}
	}
	return true
}

// live counts the slots the tree covers.
func (t tree) live() int {
	covered := 0
	for i := range t {
		covered += t[i].end() - t[i].first()
	}
	return covered
}
