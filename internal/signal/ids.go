package signal

import (
	"cmp"
	"iter"
	"slices"
)

// Flags is a bit field with one bit for each id from 1 on.
type Flags struct {
	bits  uint64
	width int
}

// Has reports whether the bit of an id is set.
func (f Flags) Has(id int) bool {
	return id >= 1 && id <= f.width && f.bits>>(f.width-id)&1 == 1
}

// IDs lists the ids whose bits are set, ascending.
func (f Flags) IDs() []int {
	ids := []int{}
	for id := 1; id <= f.width; id++ {
		if f.Has(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// IDs is a set of vendor ids, kept as ranges that ascend and do not touch: what a few bits claim stays small.
type IDs struct{ ranges []idRange }

type idRange struct{ first, last int }

// Has reports whether the id is in the set.
func (s IDs) Has(id int) bool {
	_, found := slices.BinarySearchFunc(s.ranges, id, func(r idRange, id int) int {
		switch {
		case r.last < id:
			return -1
		case r.first > id:
			return 1
		default:
			return 0
		}
	})
	return found
}

// All gives the ids in ascending order.
func (s IDs) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, r := range s.ranges {
			for id := r.first; id <= r.last; id++ {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// newIDs sorts ranges and joins those that meet: encoders need not write them in order.
func newIDs(ranges []idRange) IDs {
	slices.SortFunc(ranges, func(a, b idRange) int { return cmp.Compare(a.first, b.first) })
	joined := ranges[:0]
	for _, r := range ranges {
		if n := len(joined); n > 0 && r.first <= joined[n-1].last+1 {
			joined[n-1].last = max(joined[n-1].last, r.last)
			continue
		}
		joined = append(joined, r)
	}
	return IDs{ranges: joined}
}

// maxVendorID is the largest id of 16 bits.
const maxVendorID = 1<<16 - 1

// vendors reads a vendor section: the highest id, then one bit for each or a list of ranges.
func (b *bits) vendors() IDs {
	highest := b.small(16)
	if b.bool() {
		return b.ranges(highest)
	}
	if b.left() < highest {
		b.fail(errTruncated)
	}
	var ranges []idRange
	for id := 1; id <= highest && b.err == nil; id++ {
		if !b.bool() {
			continue
		}
		if n := len(ranges); n > 0 && ranges[n-1].last == id-1 {
			ranges[n-1].last = id
		} else {
			ranges = append(ranges, idRange{first: id, last: id})
		}
	}
	return IDs{ranges: ranges}
}

// ranges reads a list of single ids and ranges, none above the highest.
func (b *bits) ranges(highest int) IDs {
	entries := b.small(12)
	var ranges []idRange
	for range entries {
		isRange := b.bool()
		r := idRange{first: b.small(16)}
		r.last = r.first
		if isRange {
			r.last = b.small(16)
		}
		if b.err != nil {
			return IDs{}
		}
		if r.first < 1 || r.last < r.first || r.last > highest {
			b.fail(errRange)
			return IDs{}
		}
		ranges = append(ranges, r)
	}
	return newIDs(ranges)
}
