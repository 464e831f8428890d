package custody

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// CheckText holds a title or comment to its length in characters, and to being text.
func CheckText(text string, least, most int) error {
	if n := utf8.RuneCountInString(text); n < least || n > most || !utf8.ValidString(text) || slices.ContainsFunc([]rune(text), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return privacy.Invalid("invalid_text", "a title has 1 to 200 characters, a comment or reason at most 2,000, none of them control characters")
	}
	return nil
}
