package privacy

import "time"

// AgeBand is how much of a subject's age a decision needs: the bounds at which some
// regime's rule for children changes, and nothing finer.
type AgeBand string

// The age bands.
const (
	AgeChild   AgeBand = "0-12"
	Age13      AgeBand = "13"
	Age14      AgeBand = "14"
	Age15      AgeBand = "15"
	Age16To17  AgeBand = "16-17"
	AgeAdult   AgeBand = "18+"
	AgeUnknown AgeBand = "unknown"
)

// AgeBandAt gives the band of somebody born on the day, on another day, both read in
// UTC. Somebody born on 29 February completes a year on 1 March of common
// years. A zero or future birth is unknown.
func AgeBandAt(born, now time.Time) AgeBand {
	if born.IsZero() || now.Before(born) {
		return AgeUnknown
	}
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || (now.Month() == born.Month() && now.Day() < born.Day()) {
		years--
	}
	switch {
	case years < 13:
		return AgeChild
	case years == 13:
		return Age13
	case years == 14:
		return Age14
	case years == 15:
		return Age15
	case years < 18:
		return Age16To17
	default:
		return AgeAdult
	}
}

// NextAgeBand gives the time at which somebody born on the day gets into another band, zero when they never will.
func NextAgeBand(born, now time.Time) time.Time {
	if born.IsZero() {
		return time.Time{}
	}
	for _, years := range []int{0, 13, 14, 15, 16, 18} {
		if at := time.Date(born.Year()+years, born.Month(), born.Day(), 0, 0, 0, 0, time.UTC); at.After(now) {
			return at
		}
	}
	return time.Time{}
}
