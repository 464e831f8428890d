package governance_test

import (
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// The record of processing and the receipts call the same countries abroad: those that are not the controller's.
func TestAbroadIsTheSameInRecordsAndReceipts(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE"})
	const ads privacy.PurposeName = "ads.personalised"
	home := privacy.ExampleController().Country
	for country, abroad := range map[string]bool{"IE": true, home: false, "local": false} {
		v.publish(v.candidate(func(data map[string]any) {
			data["clients"].(map[string]any)["ads-desk"].(map[string]any)["country"] = country
			delete(data["purposes"].(map[string]any)[string(ads)].(map[string]any), "abroad") // the purpose itself names a country
		}))
		recorded, err := v.custody.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: ads, Action: privacy.ActionGrant}, custody.Once{})
		if err != nil {
			t.Fatal(err)
		}
		published, err := v.custody.ReceiptKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := receipt.ParseKeys(published)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := receipt.Verify(recorded.Receipt, keys)
		if err != nil {
			t.Fatal(err)
		}
		places := signed.Record.ProcessingLocation
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
