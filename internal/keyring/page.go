package keyring

import "sync/atomic"

// page is an unwrapped key page at hand. It keeps the nodes in front of the last step of deriving a key, each once it was needed: people who
// came together lie beside each other, and are asked about together. They are gone when the page is: after the puncture of one of them the
// page is another.
type page struct {
	tree  tree
	inner [PageSize / arity]atomic.Pointer[key] // of the slots whose numbers are alike but for the last nibble; nil: not yet
}

func newPage(t tree) *page { return &page{tree: t} }

// derive computes the key of an index, unless it was erased.
func (p *page) derive(index int) (key, bool) {
	at, covered := p.tree.find(index)
	if !covered {
		return key{}, false
	}
	n := &p.tree[at]
	if n.level == depth {
		return n.key, true
	}
	inner := p.inner[index/arity].Load()
	if inner == nil {
		k := n.descend(index, depth-1)
		inner = &k
		p.inner[index/arity].Store(inner)
	}
	return inner.child(depth, nibbleAt(index, depth)), true
}
