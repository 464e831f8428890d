package segment

import (
	"encoding/binary"

	"github.com/consentry/consentry/internal/privacy"
)

// ordinals numbers subjects densely, in the order in which they come. Bitmaps are small where numbers are dense. It is
// an open hash table of four bytes a place over a list of ids: a Go map would need several times the memory. A number is never taken back:
// who leaves and returns has the one they had.
type ordinals struct {
	ids   paged[privacy.SubjectID]
	count uint32
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
		if ordinal = o.table[at] - 1; *o.ids.at(ordinal) == id {
			return ordinal, true
		}
	}
	return 0, false
}

// add gives the ordinal of a subject, a new one if need be.
func (o *ordinals) add(id privacy.SubjectID) (ordinal uint32) {
	ordinal, known := o.find(id)
	if known {
		return ordinal
	}
	ordinal = o.count
	*o.ids.make(ordinal) = id
	o.count++
	if int(o.count)*4 > len(o.table)*3 {
		o.grow()
	} else {
		o.put(ordinal)
	}
	return ordinal
}

func (o *ordinals) put(ordinal uint32) {
	mask := uint64(len(o.table)) - 1
	at := spread(*o.ids.at(ordinal)) & mask
	for o.table[at] != 0 {
		at = (at + 1) & mask
	}
	o.table[at] = ordinal + 1
}

func (o *ordinals) grow() {
	o.table = make([]uint32, max(1024, 2*len(o.table)))
	for ordinal := range o.count {
		o.put(ordinal)
	}
}

func (o *ordinals) bytes() uint64 { return o.ids.bytes() + 4*uint64(len(o.table)) }
