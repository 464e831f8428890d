package signal_test

import (
	"strings"
	"time"
)

// bitText writes fields from the left as consent platforms do, so that strings for tests and seeds are made here.
type bitText struct{ bits []byte }

func (b *bitText) int(value int64, width int) *bitText {
	for i := width - 1; i >= 0; i-- {
		b.bits = append(b.bits, byte(value>>i&1))
	}
	return b
}

// set writes one bit for each id up to width.
func (b *bitText) set(width int, ids ...int) *bitText {
	field := make([]byte, width)
	for _, id := range ids {
		field[id-1] = 1
	}
	b.bits = append(b.bits, field...)
	return b
}

// fibonacci writes a number in Fibonacci coding.
func (b *bitText) fibonacci(value int) *bitText {
	numbers := []int{1, 2}
	for numbers[len(numbers)-1] <= value {
		numbers = append(numbers, numbers[len(numbers)-1]+numbers[len(numbers)-2])
	}
	var code []byte
	for i := len(numbers) - 1; i >= 0; i-- {
		one := numbers[i] <= value
		if one {
			value -= numbers[i]
		}
		if one || code != nil {
			code = append([]byte{bit(one)}, code...)
		}
	}
	b.bits = append(append(b.bits, code...), 1)
	return b
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// text fills the last character up with zeros.
func (b *bitText) text() string {
	var out strings.Builder
	for i := 0; i < len(b.bits); i += 6 {
		value := 0
		for j := range 6 {
			value <<= 1
			if i+j < len(b.bits) {
				value |= int(b.bits[i+j])
			}
		}
		out.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[value])
	}
	return out.String()
}

// tcString is what a test wants in a TC string.
type tcString struct {
	updated         time.Time
	policy          int
	serviceSpecific bool
	features        []int
	consents        []int
	interests       []int
	purposeOne      bool
	country         string
	vendors         []int    // consented to
	restrictions    [][3]int // purpose, type, vendor
	disclosed       []int    // nil: no segment
	publisher       []int    // purposes consented to; nil: no segment
}

func (s tcString) text() string {
	b := &bitText{}
	b.int(2, 6)
	for range 2 {
		b.int(s.updated.UnixMilli()/100, 36)
	}
	b.int(31, 12).int(640, 12).int(1, 6).int(4, 6).int(13, 6).int(126, 12).int(int64(s.policy), 6)
	b.bits = append(b.bits, bit(s.serviceSpecific), 0)
	b.set(12, s.features...).set(24, s.consents...).set(24, s.interests...)
	b.bits = append(b.bits, bit(s.purposeOne))
	country := s.country
	if country == "" {
		country = "DE"
	}
	b.int(int64(country[0]-'A'), 6).int(int64(country[1]-'A'), 6)
	b.vendors(s.vendors)
	b.vendors(nil)
	b.int(int64(len(s.restrictions)), 12)
	for _, r := range s.restrictions {
		b.int(int64(r[0]), 6).int(int64(r[1]), 2).int(1, 12).int(0, 1).int(int64(r[2]), 16)
	}
	text := b.text()
	if s.disclosed != nil {
		segment := (&bitText{}).int(1, 3)
		segment.vendors(s.disclosed)
		text += "." + segment.text()
	}
	if s.publisher != nil {
		text += "." + (&bitText{}).int(3, 3).set(24, s.publisher...).set(24).int(0, 6).text()
	}
	return text
}

// vendors writes the shorter of the two encodings.
func (b *bitText) vendors(ids []int) {
	highest := 0
	for _, id := range ids {
		highest = max(highest, id)
	}
	b.int(int64(highest), 16)
	if highest <= 17*len(ids)+12 {
		b.int(0, 1).set(highest, ids...)
		return
	}
	b.int(1, 1).int(int64(len(ids)), 12)
	for _, id := range ids {
		b.int(0, 1).int(int64(id), 16)
	}
}

// gppString joins sections, written already, under a header that lists their ids.
func gppString(ids []int, sections ...string) string {
	b := (&bitText{}).int(3, 6).int(1, 6).int(int64(len(ids)), 12)
	last := 0
	for _, id := range ids {
		b.int(0, 1).fibonacci(id - last)
		last = id
	}
	return strings.Join(append([]string{b.text()}, sections...), "~")
}

// usSection writes a section: version, then two bits for each value.
func usSection(version int, values ...int) string {
	b := (&bitText{}).int(int64(version), 6)
	for _, value := range values {
		b.int(int64(value), 2)
	}
	return b.text()
}
