package catalogue

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/consentry/consentry/internal/privacy"
)

// MaskKind names a way of masking a value.
type MaskKind string

// The masks.
const (
	MaskEmail   MaskKind = "email"   // a***@example.com
	MaskPhone   MaskKind = "phone"   // ***5678
	MaskInitial MaskKind = "initial" // A. or, of a name in Chinese, Japanese or Korean script, 张**
)

// maxInitial is how many runes a first character may have to be shown: enough for
// letters with their marks, too little for a value that hides in one endless cluster.
const maxInitial = 4

// MaskRule says how a value is masked; without one it is "***".
type MaskRule struct {
	Rule MaskKind `json:"rule"`
}

func (m *MaskRule) check(a *Attribute) error {
	if m != nil && a.Type != TypeString {
		return invalidCatalogue("attribute %s: only strings have a mask", a.Name)
	}
	return nil
}

// Masked gives the masked form of a value, to be rendered as a string ([AppendString]).
// It shows what its rule names and never the whole: of a text of one character nothing,
// of a short number at most half its digits. The length is never told.
func (a *Attribute) Masked(c privacy.Cleartext) (privacy.Cleartext, error) {
	if a.Mask == nil {
		return privacy.NewCleartext(hidden), nil
	}
	return c.Map(func(text string) (string, error) { return a.Mask.mask(text), nil })
}

func (m *MaskRule) mask(text string) string {
	switch m.Rule {
	case MaskEmail:
		return maskEmail(text)
	case MaskPhone:
		return maskPhone(text)
	case MaskInitial:
		return maskName(text)
	default:
		return hidden
	}
}

func maskEmail(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return hidden
	}
	first, ok := initial(text[:at])
	if !ok {
		first = ""
	}
	return first + hidden + text[at:]
}

func maskPhone(text string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	return hidden + digits[len(digits)-min(4, len(digits)/2):]
}

func maskName(text string) string {
	first, ok := initial(text)
	if !ok {
		return hidden
	}
	r, _ := utf8.DecodeRuneInString(first)
	if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
		return first + "**"
	}
	if !unicode.IsLetter(r) {
		return hidden
	}
	return first + "."
}

// initial gives the first grapheme cluster (UAX #29) of a text that has more than one
// character besides punctuation and spaces.
func initial(text string) (string, bool) {
	first, rest, _, _ := uniseg.FirstGraphemeClusterInString(text, -1)
	more := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0
	return first, more && utf8.RuneCountInString(first) <= maxInitial
}
