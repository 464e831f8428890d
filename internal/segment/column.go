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
	values []Code
	sets   []*roaring.Bitmap // by code; of 0 those who are present without a value
}

// set changes the value of a subject. present tells whether the subject was in the column before.
func (c *column) set(ordinal uint32, code Code, present bool) {
	old := c.at(ordinal)
	if present && old == code {
		return
	}
	if present {
		c.sets[old].Remove(ordinal)
	}
	for int(ordinal) >= len(c.values) {
		c.values = append(c.values, 0)
	}
	c.values[ordinal] = code
	c.of(code).Add(ordinal)
}

// clear takes a subject out.
func (c *column) clear(ordinal uint32) {
	c.sets[c.values[ordinal]].Remove(ordinal)
	c.values[ordinal] = 0
}

func (c *column) at(ordinal uint32) Code {
	if int(ordinal) < len(c.values) {
		return c.values[ordinal]
	}
	return 0
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
	size := 2*uint64(cap(c.values)) + 8*uint64(cap(c.sets))
	for _, set := range c.sets {
		if set != nil {
			size += set.GetSizeInBytes()
		}
	}
	return size
}

// dictionary gives codes to the values of a facet as they come.
type dictionary struct {
	codes map[string]Code
	names []string // by code; "" of 0
}

func newDictionary(values []Value) dictionary {
	d := dictionary{codes: make(map[string]Code), names: []string{""}}
	for _, v := range values {
		d.code(v.Name)
	}
	return d
}

// code gives the code of a value, a new one if need be and there is one left.
func (d *dictionary) code(value string) Code {
	if value == "" {
		return 0
	}
	if code, ok := d.codes[value]; ok {
		return code
	}
	if len(d.names) >= int(Overflow) {
		return Overflow
	}
	code := Code(len(d.names)) //nolint:gosec // below the overflow
	d.codes[value] = code
	d.names = append(d.names, value)
	return code
}
