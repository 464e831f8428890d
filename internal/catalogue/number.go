package catalogue

import (
	"encoding/json"
	"strconv"
	"strings"
)

const (
	// maxDigits is what an IEEE 754 double carries without loss, so that no reader of
	// our JSON sees another number than the one that was sealed.
	maxDigits   = 15
	anyFraction = -1
	minYear     = 1800
	maxYear     = 2200
)

// numberForm holds integers, money, decimals and years as exact decimal digits.
type numberForm struct {
	fraction int // digits after the point; anyFraction keeps as many as there are
	what     string
	min, max *float64
}

func newNumberForm(fraction int, what string, low, high *float64) numberForm {
	switch {
	case low != nil && high != nil:
		what += " from " + plainNumber(*low) + " to " + plainNumber(*high)
	case low != nil:
		what += " of at least " + plainNumber(*low)
	case high != nil:
		what += " of at most " + plainNumber(*high)
	}
	return numberForm{fraction: fraction, what: what, min: low, max: high}
}

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (f numberForm) fromJSON(raw json.RawMessage, _ string) (string, bool) {
	text := string(trimJSON(raw))
	if !isJSONNumber(text) {
		return "", false
	}
	return f.canonical(text)
}

func (f numberForm) fromText(text, _ string) (string, bool) {
	text, ok := cleanText(text, 64)
	if !ok {
		return "", false
	}
	text, plus := strings.CutPrefix(text, "+")
	if plus && strings.HasPrefix(text, "-") {
		return "", false
	}
	return f.canonical(text)
}

// canonical checks the digits and writes them in the one way. It never rounds:
// a digit too many is an error.
func (f numberForm) canonical(text string) (string, bool) {
	whole, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(whole, ".")
	if whole == "" || !allDigits(whole) || !allDigits(fraction) || point && fraction == "" {
		return "", false
	}
	whole = strings.TrimLeft(whole, "0")
	fraction = strings.TrimRight(fraction, "0")
	reserved := len(fraction)
	if f.fraction != anyFraction {
		reserved = f.fraction
	}
	if len(fraction) > reserved || len(whole)+reserved > maxDigits {
		return "", false
	}
	if whole == "" && fraction == "" {
		negative = false
	}
	out := f.write(negative, whole, fraction)
	return out, f.inRange(out)
}

func (f numberForm) write(negative bool, whole, fraction string) string {
	var buffer [maxDigits + 4]byte
	out := buffer[:0]
	if negative {
		out = append(out, '-')
	}
	if whole == "" {
		whole = "0"
	}
	out = append(out, whole...)
	if f.fraction > 0 || fraction != "" {
		out = append(out, '.')
		out = append(out, fraction...)
		for n := len(fraction); n < f.fraction; n++ {
			out = append(out, '0')
		}
	}
	return string(out)
}

func (f numberForm) inRange(text string) bool {
	if f.min == nil && f.max == nil {
		return true
	}
	value, err := strconv.ParseFloat(text, 64) // exact: at most 15 digits
	return err == nil && (f.min == nil || value >= *f.min) && (f.max == nil || value <= *f.max)
}

func (f numberForm) appendJSON(dst []byte, text string) ([]byte, bool) {
	return append(dst, text...), isJSONNumber(text)
}

func (f numberForm) expects() string { return f.what }

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// isJSONNumber accepts the numbers of RFC 8259 §6 without exponent: one that a program
// needs an exponent for is beyond every limit here.
func isJSONNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, fraction, point := strings.Cut(text, ".")
	return whole != "" && allDigits(whole) && (whole[0] != '0' || len(whole) == 1) &&
		allDigits(fraction) && (!point || fraction != "")
}
