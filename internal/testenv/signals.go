package testenv

import (
	"strings"
	"time"
)

// SignalBits writes fields from the left as consent platforms do, so that strings for tests and seeds are made here.
type SignalBits struct{ bits []byte }

// Int writes a number.
func (b *SignalBits) Int(value int64, width int) *SignalBits {
	for i := width - 1; i >= 0; i-- {
		b.bits = append(b.bits, byte(value>>i&1))
	}
	return b
}

// Len is how many bits were written.
func (b *SignalBits) Len() int { return len(b.bits) }

// Set writes one bit for each id up to width.
func (b *SignalBits) Set(width int, ids ...int) *SignalBits {
	field := make([]byte, width)
	for _, id := range ids {
		field[id-1] = 1
	}
	b.bits = append(b.bits, field...)
	return b
}

// Fibonacci writes a number in Fibonacci coding.
func (b *SignalBits) Fibonacci(value int) *SignalBits {
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

// Text gives the characters. It fills the last one up with zeros.
func (b *SignalBits) Text() string {
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

// TCString is what a test wants in a TC string.
type TCString struct {
	Updated         time.Time
	Policy          int
	ServiceSpecific bool
	Features        []int
	Consents        []int
	Interests       []int
	PurposeOne      bool
	Country         string
	Vendors         []int    // consented to
	Restrictions    [][3]int // purpose, type, vendor
	Disclosed       []int    // nil: no segment
	Publisher       []int    // purposes consented to; nil: no segment
}

// Text gives the string, with the segments that are wanted.
func (s TCString) Text() string {
	b := &SignalBits{}
	b.Int(2, 6)
	for range 2 {
		b.Int(s.Updated.UnixMilli()/100, 36)
	}
	b.Int(31, 12).Int(640, 12).Int(1, 6).Int(4, 6).Int(13, 6).Int(126, 12).Int(int64(s.Policy), 6)
	b.bits = append(b.bits, bit(s.ServiceSpecific), 0)
	b.Set(12, s.Features...).Set(24, s.Consents...).Set(24, s.Interests...)
	b.bits = append(b.bits, bit(s.PurposeOne))
	country := s.Country
	if country == "" {
		country = "DE"
	}
	b.Int(int64(country[0]-'A'), 6).Int(int64(country[1]-'A'), 6)
	b.Vendors(s.Vendors)
	b.Vendors(nil)
	b.Int(int64(len(s.Restrictions)), 12)
	for _, r := range s.Restrictions {
		b.Int(int64(r[0]), 6).Int(int64(r[1]), 2).Int(1, 12).Int(0, 1).Int(int64(r[2]), 16)
	}
	text := b.Text()
	if s.Disclosed != nil {
		segment := (&SignalBits{}).Int(1, 3)
		segment.Vendors(s.Disclosed)
		text += "." + segment.Text()
	}
	if s.Publisher != nil {
		text += "." + (&SignalBits{}).Int(3, 3).Set(24, s.Publisher...).Set(24).Int(0, 6).Text()
	}
	return text
}

// Vendors writes a set of vendors, in the shorter of the two encodings.
func (b *SignalBits) Vendors(ids []int) {
	highest := 0
	for _, id := range ids {
		highest = max(highest, id)
	}
	b.Int(int64(highest), 16)
	if highest <= 17*len(ids)+12 {
		b.Int(0, 1).Set(highest, ids...)
		return
	}
	b.Int(1, 1).Int(int64(len(ids)), 12)
	for _, id := range ids {
		b.Int(0, 1).Int(int64(id), 16)
	}
}

// GPPString joins sections, written already, under a header that lists their ids.
func GPPString(ids []int, sections ...string) string {
	b := (&SignalBits{}).Int(3, 6).Int(1, 6).Int(int64(len(ids)), 12)
	last := 0
	for _, id := range ids {
		b.Int(0, 1).Fibonacci(id - last)
		last = id
	}
	return strings.Join(append([]string{b.Text()}, sections...), "~")
}

// USSection writes a section: version, then two bits for each value.
func USSection(version int, values ...int) string {
	b := (&SignalBits{}).Int(int64(version), 6)
	for _, value := range values {
		b.Int(int64(value), 2)
	}
	return b.Text()
}
