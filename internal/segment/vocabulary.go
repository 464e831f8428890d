package segment

import (
	"slices"
	"strings"
	"sync"
)

// vocabulary gives codes to the values of facets as they come. It has a lock of its own, so that those who read people need not wait for an
// answer or a change to find the codes of values.
type vocabulary struct {
	mu     sync.RWMutex
	facets []dictionary
}

func newVocabulary(facets Facets) *vocabulary {
	v := &vocabulary{facets: make([]dictionary, len(facets))}
	for i := range facets {
		v.facets[i] = newDictionary(facets[i].Values)
	}
	return v
}

// codes finds the codes of values, each of one facet in their order. A value that has none yet gets one.
func (v *vocabulary) codes(values []string, codes []Code) {
	if v.known(values, codes) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, value := range values {
		codes[i] = v.facets[i].add(value)
	}
}

func (v *vocabulary) known(values []string, codes []Code) (all bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i, value := range values {
		if codes[i], all = v.facets[i].code(value); !all {
			return false
		}
	}
	return true
}

// find gives the code that a value of a facet has for itself.
func (v *vocabulary) find(facet int, value string) (code Code, known bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	code, known = v.facets[facet].codes[value]
	return code, known
}

// values lists the values of a facet as they came, by code less one.
func (v *vocabulary) values(facet int) []string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Clone(v.facets[facet].names[1:])
}

func (v *vocabulary) size() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	size := 0
	for i := range v.facets {
		size += len(v.facets[i].names) - 1
	}
	return size
}

// dictionary gives codes to the values of one facet.
type dictionary struct {
	codes map[string]Code
	names []string // by code; "" of 0
}

func newDictionary(values []Value) dictionary {
	d := dictionary{codes: make(map[string]Code), names: []string{""}}
	for _, v := range values {
		d.add(v.Name)
	}
	return d
}

// code gives the code of a value, or of none. Once there are no codes left it is the overflow of whatever has none.
func (d *dictionary) code(value string) (code Code, known bool) {
	if value == "" {
		return 0, true
	}
	if code, known = d.codes[value]; known {
		return code, true
	}
	return Overflow, len(d.names) >= int(Overflow)
}

// add gives the code of a value, a new one if need be and there is one left.
func (d *dictionary) add(value string) Code {
	if code, known := d.code(value); known {
		return code
	}
	code := Code(len(d.names)) //nolint:gosec // below the overflow
	value = strings.Clone(value)
	d.codes[value] = code
	d.names = append(d.names, value)
	return code
}
