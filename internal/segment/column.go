package segment

import "github.com/RoaringBitmap/roaring/v2"

// Code stands for a value of a column: a facet's, or a policy state. 0 is none.
type Code uint16

// Overflow stands for every value beyond those that a column can tell apart. Of a facet it is a value that equals no other; of a policy state
// it permits nothing.
const Overflow Code = 1<<16 - 1

// column is one fact about everybody, both ways round: the value of each ordinal, to change it, and the ordinals of each value, to
// count them.
type column struct {
	values paged[Code]
	sets   []*roaring.Bitmap // by code; of 0 those who are present without a value
}

// apply takes a change in, and tells whether it was one here. Whose ordinal is not settled is in no set yet.
func (c *column) apply(to *change, code Code, settled uint32) bool {
	value := c.values.make(to.ordinal)
	old := *value
	if to.present && !to.Gone && old == code || !to.present && to.Gone {
		return false
	}
	*value = code
	if to.ordinal >= settled {
		return true
	}
	if to.present {
		c.sets[old].Remove(to.ordinal)
	}
	if !to.Gone {
		c.of(code).Add(to.ordinal)
	}
	return true
}

// of gives the set of a code, to be changed.
func (c *column) of(code Code) *roaring.Bitmap {
	for int(code) >= len(c.sets) {
		c.sets = append(c.sets, nil)
	}
	if c.sets[code] == nil {
		c.sets[code] = roaring.New()
	}
	return c.sets[code]
}

// read gives the set of a code, not to be changed.
func (c *column) read(code Code) *roaring.Bitmap {
	if int(code) < len(c.sets) && c.sets[code] != nil {
		return c.sets[code]
	}
	return nobody
}

// nobody is the empty set. It is never written to.
var nobody = roaring.New()

func (c *column) bytes() uint64 {
	size := c.values.bytes() + 8*uint64(cap(c.sets))
	for _, set := range c.sets {
		if set != nil {
			size += set.GetSizeInBytes()
		}
	}
	return size
}
