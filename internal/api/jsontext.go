package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is deeper than any documented shape; encoding/json would go to 10,000.
const maxDepth = 32

// checkText looks at a JSON text before any parser does, and refuses what parsers differ on or mend
// without a word: bytes that are no UTF-8, NUL, halves of surrogate pairs, names given twice
// (RFC 7493 §2; encoding/json matches names regardless of case, so that is what twice means), and nesting
// beyond maxDepth. It is no parser: a text it lets pass may still be malformed.
func checkText(data []byte) error {
	if !utf8.Valid(data) {
		return errNotUTF8
	}
	var s textScan
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case 0:
			return errNUL
		case '"':
			end, escaped, err := scanString(data, i+1)
			if err != nil {
				return err
			}
			if err := s.text(data[i+1:end], escaped); err != nil {
				return err
			}
			i = end
		case '{', '[':
			if s.depth++; s.depth > maxDepth {
				return errTooDeep
			}
			s.levels[s.depth].open(data[i] == '{')
		case '}', ']':
			s.depth = max(s.depth-1, 0)
		case ',':
			s.levels[s.depth].expectName = s.levels[s.depth].object
		case ':':
			s.levels[s.depth].expectName = false
		}
	}
	return nil
}

// textScan is where in a JSON text a scan is; level 0 is outside of everything.
type textScan struct {
	depth  int
	levels [maxDepth + 1]level
}

// level is one object or array that is open.
type level struct {
	object     bool
	expectName bool
	names      nameSet
}

func (l *level) open(object bool) {
	l.object, l.expectName = object, object
	l.names.few, l.names.many = l.names.few[:0], nil
}

// text takes note of a string, given without its quotes.
func (s *textScan) text(content []byte, escaped bool) error {
	l := &s.levels[s.depth]
	if !l.expectName {
		return nil
	}
	if escaped {
		var plain string
		if json.Unmarshal([]byte(`"`+string(content)+`"`), &plain) != nil {
			return errMalformedJSON
		}
		content = []byte(plain)
	}
	if !l.names.add(content) {
		return errDuplicateName
	}
	return nil
}

// scanString goes from the first byte of a string's content to the quote that ends it, or to the end of
// the data, and tells whether there are escapes between.
func scanString(data []byte, i int) (end int, escaped bool, err error) {
	for ; i < len(data) && data[i] != '"'; i++ {
		switch data[i] {
		case 0:
			return 0, false, errNUL
		case '\\':
			escaped = true
			width, err := scanEscape(data[i+1:])
			if err != nil {
				return 0, false, err
			}
			i += width
		}
	}
	return min(i, len(data)), escaped, nil
}

// scanEscape gives the width of what follows a backslash.
func scanEscape(data []byte) (int, error) {
	unit, ok := escapedUnit(data)
	switch {
	case !ok:
		return 1, nil
	case unit == 0:
		return 0, errNUL
	case !utf16.IsSurrogate(unit):
		return 5, nil
	}
	if len(data) < 7 || data[5] != '\\' {
		return 0, errSurrogate
	}
	second, ok := escapedUnit(data[6:])
	if !ok || utf16.DecodeRune(unit, second) == unicode.ReplacementChar {
		return 0, errSurrogate
	}
	return 11, nil
}

// escapedUnit reads the UTF-16 code unit of an escape as in u00e9.
func escapedUnit(data []byte) (rune, bool) {
	if len(data) < 5 || data[0] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[1:5]), 16, 16)
	return rune(unit), err == nil
}

// fewNames is up to how many names looking through them one by one is the quickest way.
const fewNames = 16

// nameSet holds the names of one object, regardless of case.
type nameSet struct {
	few  [][]byte
	many map[string]struct{} // folded; nil while there are few
}

// add reports whether the name is new.
func (n *nameSet) add(name []byte) bool {
	if n.many == nil {
		for _, have := range n.few {
			if bytes.EqualFold(have, name) {
				return false
			}
		}
		if len(n.few) < fewNames {
			n.few = append(n.few, name)
			return true
		}
		n.many = make(map[string]struct{}, 4*fewNames)
		for _, have := range n.few {
			n.many[folded(have)] = struct{}{}
		}
	}
	key := folded(name)
	_, known := n.many[key]
	n.many[key] = struct{}{}
	return !known
}

// folded gives the one spelling that all texts have which are equal under Unicode simple case folding.
func folded(name []byte) string {
	return string(bytes.Map(func(r rune) rune {
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			if next < r {
				r = next
			}
		}
		return r
	}, name))
}
