package catalogue

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

const (
	maxPhone     = 64           // bytes as typed, with spaces and brackets
	minPhoneE164 = len("+") + 7 // the shortest numbers that reach a person from abroad
)

// cleanPhone reads a number into E.164 (ITU-T). It asks that the number be possible in
// its country, not that its range be assigned today: assignments change with every
// release of the metadata, and an identifier that was good once must stay good.
// An extension is refused, because the number before it is shared by many people.
func cleanPhone(text, region string) (string, bool) {
	text, ok := cleanText(text, maxPhone)
	if !ok || len(text) > maxPhone {
		return "", false
	}
	e164, ok := possibleE164(text, strings.ToUpper(region))
	if !ok {
		return "", false
	}
	// A number whose zeros read as yet another trunk prefix would change whenever it is read.
	if e164 != text {
		again, ok := possibleE164(e164, "")
		return e164, ok && again == e164
	}
	return e164, true
}

func possibleE164(text, region string) (string, bool) {
	number, err := phonenumbers.Parse(text, region)
	if err != nil || number.GetExtension() != "" ||
		phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE { // not one that works locally only
		return "", false
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	return e164, len(e164) >= minPhoneE164
}
