package catalogue

import (
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Facts are the few things about a subject on which the law that applies depends.
type Facts struct {
	Born    time.Time // midnight UTC of the day of birth; zero when unknown
	Country string    // ISO 3166-1 alpha-2; "" when unknown
	Region  string    // the province or state; "" when unknown
}

// factSources says which attributes tell a subject's facts.
type factSources struct {
	Born    []privacy.AttributeName `json:"born"` // dates or years; the first that is held counts
	Country privacy.AttributeName   `json:"country"`
	Region  privacy.AttributeName   `json:"region"`
}

func (s factSources) check(c *Catalogue) error {
	for _, name := range s.Born {
		if a := c.byName[name]; a == nil || a.Type != TypeDate && a.Type != TypeYear {
			return invalidCatalogue("state.born: %s is not a date or year", name)
		}
	}
	if a := c.byName[s.Country]; a == nil || a.Normaliser != NormaliseCountry {
		return invalidCatalogue("state.country: %s is not a country", s.Country)
	}
	if c.byName[s.Region] == nil {
		return invalidCatalogue("state.region: %s is not an attribute", s.Region)
	}
	return nil
}

// Facts reads the facts out of a subject's values. Of somebody whose year of birth alone
// is known, Born is 31 December, so that an age is never overstated and the rules for
// children hold as long as they may.
func (c *Catalogue) Facts(values func(privacy.AttributeName) (privacy.Cleartext, bool)) Facts {
	var facts Facts
	for _, name := range c.factSources.Born {
		value, ok := values(name)
		if !ok {
			continue
		}
		if born, ok := bornFrom(value); ok {
			facts.Born = born
			break
		}
	}
	facts.Country = lend(values, c.factSources.Country)
	facts.Region = lend(values, c.factSources.Region)
	return facts
}

func lend(values func(privacy.AttributeName) (privacy.Cleartext, bool), name privacy.AttributeName) (text string) {
	if value, ok := values(name); ok {
		_ = value.Borrow(func(t string) error { text = t; return nil }) // the callee cannot fail
	}
	return text
}

func bornFrom(value privacy.Cleartext) (born time.Time, ok bool) {
	_ = value.Borrow(func(text string) error { born, ok = birthday(text); return nil })
	return born, ok
}

// birthday reads a canonical date, or a canonical year as its last day.
func birthday(text string) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, true
	}
	if year, err := strconv.Atoi(text); err == nil && year >= minYear && year <= maxYear {
		return time.Date(year, time.December, 31, 0, 0, 0, 0, time.UTC), true
	}
	return time.Time{}, false
}
