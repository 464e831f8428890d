package keyring

import (
	"encoding/binary"
	"errors"
)

// A page at rest, before it is wrapped:
//
//	page  = version(1) ‖ number of nodes(2) ‖ nodes
//	node  = level(4 bits) ‖ path(12 bits) ‖ key(32)
//
// Numbers are big endian. Nodes stand in the order of the slots they cover and do not
// overlap, so a set of keys has one encoding.
const (
	pageFormat     = 1
	pageHeaderSize = 1 + 2
	nodeSize       = 2 + keySize
	pathBits       = arityBits * depth
)

var errMalformedPage = errors.New("malformed page")

func (t tree) encode() []byte {
	out := make([]byte, pageHeaderSize, pageHeaderSize+len(t)*nodeSize)
	out[0] = pageFormat
	binary.BigEndian.PutUint16(out[1:], uint16(len(t))) //nolint:gosec // at most 4096 nodes
	for i := range t {
		out = binary.BigEndian.AppendUint16(out, uint16(t[i].level)<<pathBits|t[i].path)
		out = append(out, t[i].key[:]...)
	}
	return out
}

// parseTree is strict: it accepts exactly what encode gives.
func parseTree(data []byte) (tree, error) {
	if len(data) < pageHeaderSize || data[0] != pageFormat {
		return nil, errMalformedPage
	}
	count := int(binary.BigEndian.Uint16(data[1:]))
	data = data[pageHeaderSize:]
	if count > PageSize || len(data) != count*nodeSize {
		return nil, errMalformedPage
	}
	t := make(tree, count)
	covered := 0
	for i := range t {
		head := binary.BigEndian.Uint16(data[i*nodeSize:])
		n := &t[i]
		n.level, n.path = byte(head>>pathBits), head&(1<<pathBits-1)
		if n.level > depth || n.path>>(arityBits*n.level) != 0 || n.first() < covered {
			return nil, errMalformedPage
		}
		covered = n.end()
		copy(n.key[:], data[i*nodeSize+2:])
	}
	return t, nil
}
