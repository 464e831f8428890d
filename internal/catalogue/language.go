package catalogue

import "golang.org/x/text/language"

const maxLanguage = 35 // RFC 5646 §4.4.1: what a reader must at least hold

// cleanLanguage makes a BCP 47 tag canonical (RFC 5646 §4.5). Extensions and private use
// are refused: they may hold any text.
func cleanLanguage(text, _ string) (string, bool) {
	text, ok := cleanText(text, maxLanguage)
	if !ok || len(text) > maxLanguage {
		return "", false
	}
	tag, err := language.Parse(text)
	if err != nil || tag == language.Und || len(tag.Extensions()) > 0 {
		return "", false
	}
	return tag.String(), true
}
