package catalogue

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// countries leads from a folded name in English or Chinese to the ISO 3166-1 alpha-2 code.
type countries map[string]string

// newCountries takes the names from CLDR and adds those that people write instead.
func newCountries() countries {
	names := countries{
		"england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB", "u.k.": "GB",
		"u.s.": "US", "u.s.a.": "US", "united states of america": "US", "america": "US",
		"people's republic of china": "CN", "p.r. china": "CN", "mainland china": "CN", "中国大陆": "CN", "中华人民共和国": "CN",
		"hong kong": "HK", "香港": "HK", "macau": "MO", "macao": "MO", "澳门": "MO",
		"korea": "KR", "republic of korea": "KR", "czech republic": "CZ", "holland": "NL", "the netherlands": "NL",
		"russian federation": "RU", "viet nam": "VN", "turkey": "TR", "ivory coast": "CI", "uae": "AE",
	}
	english, chinese := display.English.Regions(), display.Chinese.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code, ok := countryCode(string([]rune{a, b}))
			if !ok {
				continue
			}
			region := language.MustParseRegion(code)
			names[fold(english.Name(region))] = code
			names[fold(chinese.Name(region))] = code
		}
	}
	return names
}

// clean reads an alpha-2, alpha-3 or numeric code in any case, or a common name.
func (c countries) clean(text, _ string) (string, bool) {
	text, ok := cleanText(text, 64)
	if !ok {
		return "", false
	}
	if len(text) <= 3 {
		if code, ok := countryCode(text); ok {
			return code, true
		}
	}
	code, ok := c[fold(text)]
	return code, ok
}

func countryCode(text string) (string, bool) {
	region, err := language.ParseRegion(text)
	if err != nil || !region.IsCountry() {
		return "", false
	}
	region = region.Canonicalize() // UK is GB, and countries that were renamed follow
	code := region.String()
	if len(code) != 2 || strings.Contains(" AC CP DG EA IC TA ", " "+code+" ") { // islands reserved for the post, not countries
		return "", false
	}
	name := display.English.Regions().Name(region)
	return code, name != "" && region.IsCountry() // countries that ceased have no name
}
