package catalogue

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normaliser names the way in which a text becomes canonical. Types other than string
// have one way each, of the same name as the type.
type Normaliser string

// The normalisers of strings and identifiers.
const (
	NormaliseText     Normaliser = "text"     // Unicode NFC, trimmed, inner white space collapsed
	NormaliseToken    Normaliser = "token"    // as text, without white space: an opaque key, case kept
	NormaliseCode     Normaliser = "code"     // letters, digits, "-", "/", ".": upper case, without white space
	NormalisePostcode Normaliser = "postcode" // letters, digits, space, "-": upper case
	NormaliseEmail    Normaliser = "email"    // RFC 5321 address, lower case, domain in ASCII
	NormalisePhone    Normaliser = "phone"    // E.164
	NormaliseCountry  Normaliser = "country"  // ISO 3166-1 alpha-2
	NormaliseLanguage Normaliser = "language" // BCP 47
)

func newStringForm(n Normaliser, maxLength int, codes countries) (stringForm, error) {
	if maxLength == 0 {
		maxLength = defaultMaxLength
	}
	upTo := fmt.Sprintf("of 1 to %d characters, without control characters", maxLength)
	switch n {
	case NormaliseText:
		return stringForm{what: "a text " + upTo, clean: func(text, _ string) (string, bool) {
			return cleanText(text, maxLength)
		}}, nil
	case NormaliseToken:
		return stringForm{what: "a text without spaces " + upTo, clean: func(text, _ string) (string, bool) {
			text, ok := cleanText(text, maxLength)
			return text, ok && !strings.Contains(text, " ")
		}}, nil
	case NormaliseCode:
		return stringForm{what: "a code of letters, digits, - / and . " + upTo, clean: func(text, _ string) (string, bool) {
			return cleanCode(strings.ReplaceAll(width(text), " ", ""), "-/.", maxLength)
		}}, nil
	case NormalisePostcode:
		return stringForm{what: "a postcode of letters, digits, spaces and - " + upTo, clean: func(text, _ string) (string, bool) {
			return cleanCode(width(text), "- ", maxLength)
		}}, nil
	case NormaliseEmail:
		return stringForm{what: "an email address as name@example.com", clean: cleanEmail}, nil
	case NormalisePhone:
		return stringForm{what: "a phone number with country code as +8613812345678, or national with a known region", clean: cleanPhone}, nil
	case NormaliseCountry:
		return stringForm{what: "a country as its ISO 3166-1 code", clean: codes.clean}, nil
	case NormaliseLanguage:
		return stringForm{what: "a language as its BCP 47 tag, such as zh-CN", clean: cleanLanguage}, nil
	default:
		return stringForm{}, fmt.Errorf("a string cannot have the normaliser %q", n)
	}
}

// cleanText makes the one spelling of a text: Unicode NFC (UAX #15), white space
// collapsed to single spaces and trimmed, invisible characters dropped. It refuses what no
// name or address holds and what makes two texts look alike or a page lie: controls,
// U+FFFD (the trace of a broken decoding), non-characters, bidirectional overrides.
func cleanText(text string, maxLength int) (string, bool) {
	if len(text) == 0 || len(text) > maxInput {
		return "", false
	}
	if isTidy(text) {
		return text, len(text) <= maxLength
	}
	if !utf8.ValidString(text) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case isInvisible(r):
		case isForbidden(r):
			return "", false
		default:
			b.WriteRune(r)
		}
	}
	// Fields after NFC: composing never makes or removes a space.
	text = strings.Join(strings.Fields(norm.NFC.String(b.String())), " ")
	return text, text != "" && utf8.RuneCountInString(text) <= maxLength
}

// isTidy recognises at one glance the common text that is canonical already: printable
// ASCII with single inner spaces.
func isTidy(text string) bool {
	previous := byte(' ')
	for i := range len(text) {
		b := text[i]
		if b < 0x20 || b > 0x7e || (b == ' ' && previous == ' ') {
			return false
		}
		previous = b
	}
	return previous != ' '
}

// isInvisible lists what is often pasted along unseen and would make equal texts differ:
// soft hyphen, zero-width space, word joiner, byte order mark. The joiners
// U+200C and U+200D carry meaning in Persian, Indic scripts and emoji, and stay.
func isInvisible(r rune) bool {
	return r == '\u00ad' || r == '\u200b' || r == '\u2060' || r == '\ufeff'
}

func isForbidden(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError ||
		(r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069') || // bidirectional overrides and isolates
		(r >= '\ufdd0' && r <= '\ufdef') || r&0xfffe == 0xfffe // non-characters
}

// width folds full-width letters and digits, as typed with East Asian input methods,
// into their ASCII forms (NFKC).
func width(text string) string {
	if len(text) > maxInput || isTidy(text) {
		return text
	}
	return norm.NFKC.String(text)
}

func cleanCode(text, also string, maxLength int) (string, bool) {
	text, ok := cleanText(text, maxLength)
	if !ok {
		return "", false
	}
	alnum := false
	for i := range len(text) {
		if b := text[i]; b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' {
			alnum = true
		} else if strings.IndexByte(also, b) < 0 {
			return "", false
		}
	}
	return strings.ToUpper(text), alnum
}

// fold makes texts comparable regardless of case.
func fold(text string) string { return norm.NFC.String(strings.ToLower(text)) }
