package catalogue

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Period is a length of time in calendar units, as retention is counted: an ISO 8601
// duration without hours, such as P3Y or P18M.
type Period struct{ Years, Months, Days int }

var period = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?$`)

// ParsePeriod reads P[nY][nM][nW][nD] with at least one part. Numbers have at most four digits.
func ParsePeriod(text string) (Period, error) {
	parts := period.FindStringSubmatch(text)
	if parts == nil || text == "P" {
		return Period{}, fmt.Errorf("a period is written as P3Y, P18M or P90D")
	}
	var n [5]int
	for i, part := range parts[1:] {
		if part != "" {
			n[i], _ = strconv.Atoi(part) // digits by the pattern
		}
	}
	return Period{Years: n[0], Months: n[1], Days: n[2]*7 + n[3]}, nil
}

// IsZero reports whether the period has no length.
func (p Period) IsZero() bool { return p == Period{} }

// After gives the time one period after another, in UTC.
func (p Period) After(t time.Time) time.Time { return t.UTC().AddDate(p.Years, p.Months, p.Days) }

// String gives the ISO 8601 form, "P0D" for none.
func (p Period) String() string {
	text := "P"
	for _, part := range []struct {
		n    int
		unit string
	}{{p.Years, "Y"}, {p.Months, "M"}, {p.Days, "D"}} {
		if part.n != 0 {
			text += strconv.Itoa(part.n) + part.unit
		}
	}
	if text == "P" {
		return "P0D"
	}
	return text
}

// MarshalText implements encoding.TextMarshaler.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Period) UnmarshalText(text []byte) error {
	parsed, err := ParsePeriod(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
