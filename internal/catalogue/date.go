package catalogue

import "time"

// cleanDate accepts a calendar date of ISO 8601 in the extended form and nothing else:
// every other way of writing one is ambiguous, and a mapping says which is meant.
func cleanDate(text, _ string) (string, bool) {
	text, ok := cleanText(text, 32)
	if !ok || len(text) != len(time.DateOnly) {
		return "", false
	}
	day, err := time.Parse(time.DateOnly, text)
	return text, err == nil && day.Year() >= minYear && day.Year() <= maxYear
}
