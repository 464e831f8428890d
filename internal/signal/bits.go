package signal

import "strings"

// alphabet is the URL-safe alphabet of RFC 4648 §5: a character is six bits.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// bits reads one segment from the left, big-endian. The first thing that goes wrong stays in err, and from
// then on every read gives zero, so that a decoder reads all fields and asks once; a loop whose
// number of turns was read asks at every turn.
type bits struct {
	sextets []byte
	at      int // in bits
	err     error
}

// newBits checks the alphabet of a segment and makes it numbers of six bits.
func newBits(text string) *bits {
	b := &bits{sextets: make([]byte, len(text))}
	if text == "" {
		b.err = errTruncated
	}
	for i := range len(text) {
		sextet := strings.IndexByte(alphabet, text[i])
		if sextet < 0 {
			b.err = errAlphabet
			break
		}
		b.sextets[i] = byte(sextet) //nolint:gosec // below 64
	}
	return b
}

// left is how many bits have not been read.
func (b *bits) left() int { return 6*len(b.sextets) - b.at }

// fail keeps the first error.
func (b *bits) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// int reads an unsigned number of up to 36 bits.
func (b *bits) int(width int) int64 {
	if b.err == nil && b.left() < width {
		b.err = errTruncated
	}
	if b.err != nil {
		return 0
	}
	var value int64
	for range width {
		value = value<<1 | int64(b.sextets[b.at/6]>>(5-b.at%6)&1)
		b.at++
	}
	return value
}

func (b *bits) small(width int) int { return int(b.int(width)) }

func (b *bits) bool() bool { return b.int(1) == 1 }

// flags reads one bit for each id from 1 on.
func (b *bits) flags(width int) Flags { return Flags{bits: uint64(b.int(width)), width: width} } //nolint:gosec // at most 36 bits, never negative

// letters reads two letters of six bits each, A = 0.
func (b *bits) letters() string {
	var text [2]byte
	for i := range text {
		letter := b.small(6)
		if letter >= 26 {
			b.fail(errField)
		}
		text[i] = 'A' + byte(letter) //nolint:gosec // six bits
	}
	return string(text[:])
}

// maxFibonacci bounds the numbers in Fibonacci coding: ids have 16 bits, and a 1 follows the last digit.
const maxFibonacci = 1 << 17

// fibonacci reads a number in Fibonacci coding: the positions of its Fibonacci numbers 1, 2, 3, 5, 8 …,
// ended by a second 1 in a row. It cannot be zero.
func (b *bits) fibonacci() int {
	sum, before := 0, false
	for value, next := 1, 2; value <= maxFibonacci; value, next = next, value+next {
		one := b.bool()
		if b.err != nil {
			return 0
		}
		if one && before {
			return sum
		}
		if one {
			sum += value
		}
		before = one
	}
	b.fail(errFibonacci)
	return 0
}

// end checks that nothing but padding is left.
func (b *bits) end() error {
	for b.err == nil && b.left() > 0 {
		if b.bool() {
			b.err = errTrailing
		}
	}
	return b.err
}
