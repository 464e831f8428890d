package segment

import (
	"encoding/binary"

	"github.com/consentry/consentry/internal/privacy"
)

// ordinals numbers subjects densely, in the order in which they come. Bitmaps are small where numbers are dense. It is
// an open hash table of four bytes a place over a list of ids: a Go map would need several times the memory. A number is never taken back:
// who leaves and returns has the one they had.
type ordinals struct {
	ids   []privacy.SubjectID
	table []uint32 // ordinal+1; 0 is free. Its length is a power of two
}

// spread gives the hash of an id: the last 64 bits of a UUIDv7 are random but for two.
func spread(id privacy.SubjectID) uint64 {
	return binary.BigEndian.Uint64(id[8:]) * 0x9e3779b97f4a7c15 >> 16
}

// find gives the ordinal of a subject.
func (o *ordinals) find(id privacy.SubjectID) (ordinal uint32, ok bool) {
	if len(o.table) == 0 {
		return 0, false
	}
	mask := uint64(len(o.table)) - 1
	for at := spread(id) & mask; o.table[at] != 0; at = (at + 1) & mask {
		if ordinal = o.table[at] - 1; o.ids[ordinal] == id {
			return ordinal, true
		}
	}
	return 0, false
}

// add gives the ordinal of a subject, a new one if need be.
func (o *ordinals) add(id privacy.SubjectID) (ordinal uint32, fresh bool) {
	if ordinal, ok := o.find(id); ok {
		return ordinal, false
	}
	o.ids = append(o.ids, id)
	if len(o.ids)*4 > len(o.table)*3 {
		o.grow()
	} else {
		o.put(uint32(len(o.ids) - 1)) //nolint:gosec // far fewer people than that
	}
	return uint32(len(o.ids) - 1), true //nolint:gosec // the same
}

func (o *ordinals) put(ordinal uint32) {
	mask := uint64(len(o.table)) - 1
	at := spread(o.ids[ordinal]) & mask
	for o.table[at] != 0 {
		at = (at + 1) & mask
	}
	o.table[at] = ordinal + 1
}

func (o *ordinals) grow() {
	o.table = make([]uint32, max(1024, 2*len(o.table)))
	for ordinal := range o.ids {
		o.put(uint32(ordinal))
	}
}

func (o *ordinals) bytes() uint64 { return 16*uint64(cap(o.ids)) + 4*uint64(len(o.table)) }
