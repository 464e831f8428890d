package rights

import (
	"embed"
	"encoding/json"
	"slices"
	"time"
	_ "time/tzdata" // the container has no files of time zones

	"github.com/consentry/consentry/internal/privacy"
)

//go:embed calendars.json
var calendarFile embed.FS

// calendars say where which days are worked, by country (ISO 3166-1 alpha-2).
type calendars map[string]calendar

// calendar is the time zone and the holidays of a country. Where it has several zones, the one that is furthest behind UTC on the
// mainland is not taken but the one of its capital or largest court; dates are kept early rather than late.
type calendar struct {
	Zone     string   `json:"zone"`
	Every    []string `json:"every"`    // holidays of every year, as 01-02
	Holidays []string `json:"holidays"` // days off that move, as 2006-01-02
	Workdays []string `json:"workdays"` // Saturdays and Sundays that are worked in their place

	zone *time.Location
}

// loadCalendars reads the calendars that the program carries.
func loadCalendars() (calendars, error) {
	content, err := calendarFile.ReadFile("calendars.json")
	if err != nil {
		return nil, privacy.Internal(err, "read the calendars")
	}
	var all calendars
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, privacy.Internal(err, "read the calendars")
	}
	for country, c := range all {
		if c.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, privacy.Internal(err, "read the time zone of "+country)
		}
		all[country] = c
	}
	return all, nil
}

// home gives the country whose days count for a law where it is not known where somebody lives.
var home = map[privacy.Regime]string{
	privacy.RegimeUKGDPR: "GB", privacy.RegimePIPL: "CN", privacy.RegimeCCPA: "US", privacy.RegimeLGPD: "BR", privacy.RegimeAPPI: "JP",
	privacy.RegimePDPA: "SG", privacy.RegimePIPA: "KR", privacy.RegimeQuebec25: "CA",
}

// of gives the calendar for a law and a country. Laws of one country keep its days, wherever the person is.
func (c calendars) of(regime privacy.Regime, country string) calendar {
	if at, ok := home[regime]; ok {
		country = at
	}
	if found, ok := c[country]; ok {
		return found
	}
	return calendar{zone: time.UTC}
}

// worked reports whether a day is a working day; times of day do not matter.
func (c calendar) worked(day time.Time) bool {
	date := day.Format(time.DateOnly)
	if slices.Contains(c.Workdays, date) {
		return true
	}
	return privacy.Weekdays(day) && !slices.Contains(c.Holidays, date) && !slices.Contains(c.Every, date[len("2006-"):])
}
