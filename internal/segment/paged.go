package segment

import "unsafe"

// paged is a list by ordinal that grows without being copied: of ten million people a copy would take twice the memory for a while, and hold
// up whoever asks. What was never set is the zero value.
type paged[T any] struct {
	pages []*[pageLength]T
}

const pageLength = 4096

// at gives the place of an ordinal, which was made.
func (p *paged[T]) at(ordinal uint32) *T {
	return &p.pages[ordinal/pageLength][ordinal%pageLength]
}

// make has a place for an ordinal, and gives it.
func (p *paged[T]) make(ordinal uint32) *T {
	for int(ordinal/pageLength) >= len(p.pages) {
		p.pages = append(p.pages, new([pageLength]T))
	}
	return p.at(ordinal)
}

func (p *paged[T]) bytes() uint64 {
	var one T
	return uint64(len(p.pages)) * pageLength * uint64(unsafe.Sizeof(one))
}
