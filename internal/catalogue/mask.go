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
	MaskLast    MaskKind = "last"    // ***002X: the end of a number on a document
)

// maxInitial is how many runes a first character may have to be shown: enough for
// letters with their marks, too little for a value that hides in one endless cluster.
const maxInitial = 4

// MaskRule says how a value is masked; without one it is "***".
type MaskRule struct {
	Rule MaskKind `json:"rule"`
}

func (m *MaskRule) check(a *Attribute) error {
	if m == nil {
		return nil
	}
	if a.Type != TypeString || m.Rule == MaskLast && a.Normaliser != NormaliseCode {
		return invalidCatalogue("attribute %s: the mask %s does not fit it", a.Name, m.Rule)
	}
	return nil
}

// Masked gives the masked form of a value, to be rendered as a string ([AppendString]).
// It shows what its rule names and never the whole: of a text of one character nothing,
// of a short phone number at most half its digits. The length is never told.
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
	case MaskLast:
		return maskLast(text)
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

// maskPhone shows the last four digits, of a short number at most half of them.
func maskPhone(text string) string {
	digits := keep(text, func(r rune) bool { return r >= '0' && r <= '9' })
	return hidden + digits[len(digits)-min(4, len(digits)/2):]
}

// maskLast shows the last four letters or digits, of a short text at most a third.
func maskLast(text string) string {
	shown := keep(text, func(r rune) bool { return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' })
	return hidden + shown[len(shown)-min(4, len(shown)/3):]
}

func keep(text string, wanted func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if wanted(r) {
			return r
		}
		return -1
	}, text)
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
