package privacy

import "time"

// Span is a length of time as laws give it: so many days, months, or days on which people work.
type Span struct {
	Count int      `json:"count"`
	Unit  SpanUnit `json:"unit"`
}

// SpanUnit is what a span counts.
type SpanUnit string

// The units. Working days are those of the calendar of China's State Council, in which some Saturdays are worked; business days leave out
// weekends and public holidays.
const (
	SpanDay         SpanUnit = "day"
	SpanMonth       SpanUnit = "month"
	SpanWorkingDay  SpanUnit = "working_day"
	SpanBusinessDay SpanUnit = "business_day"
)

// Worked says whether a day is a working day where the law holds; [Weekdays] serves where no calendar is kept.
type Worked func(day time.Time) bool

// Weekdays takes Monday to Friday for worked, and knows no holidays.
func Weekdays(day time.Time) bool {
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// From gives the last day of a span that starts with an event on a day, which itself does not count (Regulation 1182/71 Art. 3(1)).
// Months end on the same date, or on the last day of a month that does not have it (Art. 3(2)(c)).
func (s Span) From(day time.Time, worked Worked) time.Time {
	switch s.Unit {
	case SpanMonth:
		end := day.AddDate(0, s.Count, 0)
		if end.Day() != day.Day() {
			end = end.AddDate(0, 0, -end.Day()) // it had run over into the month after
		}
		return end
	case SpanWorkingDay, SpanBusinessDay:
		for left := s.Count; left > 0; {
			day = day.AddDate(0, 0, 1)
			if worked(day) {
				left--
			}
		}
		return day
	default:
		return day.AddDate(0, 0, s.Count)
	}
}

// Rolled gives the first worked day from a day on.
func Rolled(day time.Time, worked Worked) time.Time {
	for !worked(day) {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

// Before gives the instant that lies a span of days or months before another.
func (s Span) Before(at time.Time) time.Time {
	if s.Unit == SpanMonth {
		return at.AddDate(0, -s.Count, 0)
	}
	return at.AddDate(0, 0, -s.Count)
}
