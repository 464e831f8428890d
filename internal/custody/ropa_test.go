package custody_test

import (
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// The record of processing and the receipts call the same countries abroad: those that are not the controller's.
func TestAbroadIsTheSameInRecordsAndReceipts(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE"})
	const ads privacy.PurposeName = "ads.personalised"
	home := privacy.ExampleController().Country
	for country, abroad := range map[string]bool{"IE": true, home: false, "local": false} {
		v.publish(func(data map[string]any) {
			data["clients"].(map[string]any)["ads-desk"].(map[string]any)["country"] = country
		})
		recorded, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: ads, Action: privacy.ActionGrant}, custody.Once{})
		if err != nil {
			t.Fatal(err)
		}
		places := v.verified(recorded.Receipt).Record.ProcessingLocation
		if (len(places) > 1) != abroad {
			t.Errorf("%s: the receipt says %q", country, places)
		}
		record, err := v.RecordsOfProcessing(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, activity := range record.Activities {
			if activity.Purpose == ads && (len(activity.Transfers) > 0) != abroad {
				t.Errorf("%s: the record says %+v", country, activity.Transfers)
			}
			if activity.Purpose == ads && slices.Contains(activity.Assessment.Grounds, "cross_border") != abroad {
				t.Errorf("%s: assessed for %q", country, activity.Assessment.Grounds)
			}
		}
	}
}
