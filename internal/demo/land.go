package demo

import "strings"

// land is where people live: what they are called there, where and how they are reached.
type land struct {
	country  string // ISO 3166-1
	language string // BCP 47
	weight   int    // of a thousand people
	places   []place
	phones   []string // patterns for dice.fill

	male, female []name
	family       []name // empty: English names
	familyFirst  bool
	fullName     string // of given and family name
	streets      []string
	address      string // of street and number
	companies    []string

	income float64 // median, a year
	grants float64 // how readily people grant, beside the average
}

// place is a city in its province.
type place struct {
	city, province, postcode string
	weight                   int
}

// name is one part of a name, as written and in the letters of an email address.
type name struct{ written, latin string }

// term is a word of a customer file: the Chinese sources use Chinese, the others English.
type term struct{ en, zh string }

func (l *land) say(t term) string {
	if l.country == "CN" {
		return t.zh
	}
	return t.en
}

// names reads a table: parts as they are written, followed by a colon and the letters of an address
// where dropping what is not a to z would not do.
func names(table string) []name {
	var out []name
	for entry := range strings.FieldsSeq(table) {
		written, latin, ok := strings.Cut(entry, ":")
		if !ok {
			latin = written
		}
		out = append(out, name{written, plain(latin)})
	}
	return out
}

// plain keeps the letters a to z.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(text))
}

// lands are where the people are from: half of them from China. The United States are two, because California has a law of its own.
var lands = []*land{&china, &germany, &france, &britain, &california, &america, &brazil, &japan, &singapore, &quebec}
