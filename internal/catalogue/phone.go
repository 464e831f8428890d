package catalogue

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

const maxPhone = 64 // bytes as typed, with spaces and brackets

// cleanPhone reads a number into E.164 (ITU-T). It asks that the number be possible in
// its country, not that its range be assigned today: assignments change with every
// release of the metadata, and an identifier that was good once must stay good.
// An extension is refused, because the number before it is shared by many people.
func cleanPhone(text, region string) (string, bool) {
	text, ok := cleanText(text, maxPhone)
	if !ok || len(text) > maxPhone {
		return "", false
	}
	number, err := phonenumbers.Parse(text, strings.ToUpper(region))
	if err != nil || number.GetExtension() != "" || !phonenumbers.IsPossibleNumber(number) {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}
