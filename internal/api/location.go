package api

import (
	"slices"
	"strings"
)

// words are the names that may appear in the location of a defect, sorted: those that this API
// itself defines. Whatever else stands in a location was made up by the caller. A test
// compares them with the OpenAPI document.
var words = []string{
	"Accept", "Idempotency-Key", "If-Match", "Sec-GPC", "action", "active", "after", "age_band", "agreement", "at", "attributes", "backups", "body", "by",
	"categories", "channel", "client", "code", "collected_at", "comment", "confirm", "consent", "contact", "content", "controller", "country", "cursor",
	"days", "description", "details", "dry_run", "due_by", "edit", "entry", "event", "evidence", "expires_at", "explicit", "format", "from", "gpc", "gpp",
	"ground", "hand_over", "header", "hold", "id", "identifier", "identifiers", "kinds", "language", "limit", "limit_sensitive", "locale", "method", "name", "notice",
	"notice_version", "object", "objected", "occurred_at", "only", "open", "opt_out_signal", "part", "path", "predicate", "processor", "purpose", "purposes",
	"query", "reason", "recipients", "regime", "requests", "restricted", "retention", "revision", "revoke", "rights", "roles", "seen", "separate_for",
	"sha256", "since", "soft_opt_in", "source", "state", "status", "storage_only", "subject", "subjects", "tcf", "text", "title", "to", "token", "type",
	"until", "uri", "url", "valid_from", "value", "variants", "verified", "version", "wait", "webhook-id", "webhook-signature", "webhook-timestamp", "with",
}

// safeLocation gives a location back if each of its parts is one of the API's words or the index of
// an item, as in body.subjects[2].id.
func safeLocation(location string) string {
	for part := range strings.SplitSeq(location, ".") {
		word, index, indexed := strings.Cut(part, "[")
		if _, known := slices.BinarySearch(words, word); !known {
			return ""
		}
		if indexed && !isIndex(strings.TrimSuffix(index, "]")) {
			return ""
		}
	}
	return location
}

// isIndex keeps to what an index of a bounded list can be: a longer number could be a phone's.
func isIndex(text string) bool {
	return len(text) <= 5 && strings.Trim(text, "0123456789") == ""
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
