package policy

import (
	"encoding/json"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// How long it is kept what was said in a request can be set, in days or months; tables from before that have the usual term.
func TestHowLongDetailsAreKept(t *testing.T) {
	for given, want := range map[string]privacy.Span{
		``: {Count: 24, Unit: privacy.SpanMonth},
		`"keep_details": {"count": 90, "unit": "day"},`:        {Count: 90, Unit: privacy.SpanDay},
		`"keep_details": {"count": 6, "unit": "month"},`:       {Count: 6, Unit: privacy.SpanMonth},
		`"keep_details": {"count": 0, "unit": "day"},`:         {},
		`"keep_details": {"count": -1, "unit": "day"},`:        {},
		`"keep_details": {"count": 5, "unit": "working_day"},`: {},
	} {
		var document any
		if err := json.Unmarshal([]byte(`{"requests": {"default": {"law": "none", "starts": "receipt", "answer": {"count": 1, "unit": "month"}}},
			"handling": {`+given+` "remind_days_before": [], "verify_within": {"count": 1, "unit": "day"}, "tell_again_after": {"count": 1, "unit": "day"},
				"escalate_after": {"count": 1, "unit": "day"}, "second_look": []}}`), &document); err != nil {
			t.Fatal(err)
		}
		var read tables
		err := readDeadlines(document, &read)
		if refused := err != nil; refused != (want == privacy.Span{}) || !refused && read.handling.KeepDetails != want {
			t.Errorf("%s: %+v, %v", given, read.handling, err)
		}
	}
}
