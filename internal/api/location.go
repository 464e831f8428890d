package api

import (
	"slices"
	"strings"
)

// words are the names that may appear in the location of a defect, sorted: those that this API
// itself defines. Whatever else stands in a location was made up by the caller. A test
// compares them with the OpenAPI document.
var words = []string{
	"action", "age_band", "attributes", "before", "body", "by", "channel", "client", "collected_at", "consent", "country", "cursor",
	"entry", "expires_at", "explicit", "from", "header", "id", "identifier", "identifiers", "limit", "limit_sensitive", "method",
	"notice_version", "objected", "occurred_at", "opt_out_signal", "path", "purpose", "query", "regime", "restricted", "roles",
	"separate_for", "since", "soft_opt_in", "source", "state", "status", "storage_only", "subject", "subjects", "to", "type", "until",
	"value", "verified",
}

// safeLocation gives a location back if each of its parts is one of the API's words or a number.
func safeLocation(location string) string {
	for part := range strings.FieldsFuncSeq(location, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if _, known := slices.BinarySearch(words, part); !known && strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return location
}

// safeMessage keeps what the schema validator says is expected, without the part after
// the colon, where some messages quote what was found.
func safeMessage(message string) string {
	expected, _, _ := strings.Cut(message, ": ")
	if strings.HasPrefix(expected, "expected ") || strings.HasPrefix(expected, "required ") {
		return expected
	}
	return "not of the expected form"
}
