package custody_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

func (v *vault) receiptKeys() receipt.Keys {
	v.t.Helper()
	text, err := v.ReceiptKeys(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	keys, err := receipt.ParseKeys(text)
	if err != nil {
		v.t.Fatal(err)
	}
	return keys
}

func (v *vault) verified(jws string) receipt.Receipt {
	v.t.Helper()
	r, err := receipt.Verify(jws, v.receiptKeys())
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

func TestEveryRecordReturnsItsReceipt(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	for action, state := range map[privacy.ConsentAction]string{privacy.ActionGrant: "dpv:ConsentGiven", privacy.ActionDeny: "dpv:ConsentRefused",
		privacy.ActionWithdraw: "dpv:ConsentWithdrawn", privacy.ActionObject: "objected", privacy.ActionLift: "objection lifted"} {
		recorded := v.consent(id, custody.Consent{Action: action, Channel: "web", Method: "checkbox"})
		r := v.verified(recorded.Receipt)
		if r.ConsentReceiptID != recorded.ID || r.PIIPrincipalID != id.String() || r.Record.Event.State != state || r.Record.Purpose != string(marketing) || r.CollectionMethod != "web, checkbox" {
			t.Errorf("%s: %+v", action, r)
		}
		record, err := privacy.ParseSubjectID(recorded.ID)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := v.Receipt(t.Context(), steward, id, record); err != nil || kept != recorded.Receipt {
			t.Errorf("%s: what is kept is another: %v", action, err)
		}
	}
	if r := v.verified(v.decide(id, privacy.ActionGrant).Receipt); r.Sensitive != (len(r.SPICat) > 0) || len(r.Services[0].Purposes[0].PIICategory) == 0 || r.Services[0].Purposes[0].ThirdPartyDisclosure {
		t.Errorf("what it says of the purpose: %+v", r)
	}
}

// The regime, country and age of a subject are sealed: a receipt must not let them out.
func TestReceiptsSayNothingOfTheSubject(t *testing.T) {
	t.Parallel()
	v := setup(t)
	profile := v.profile([]string{"wei@example.com"}, fields{"given_name": "Wei", "country": "CN", "birth_date": "2015-05-06"})
	profile.Regime = privacy.RegimePIPL
	id := v.upsert(profile).ID
	r := v.verified(v.consent(id, custody.Consent{Action: privacy.ActionGrant, By: privacy.ByGuardian}).Receipt)
	payload, err := receipt.Payload(&r)
	if err != nil {
		t.Fatal(err)
	}
	other := v.verified(v.consent(v.put("ada@example.com", fields{"country": "DE"}), custody.Consent{Action: privacy.ActionGrant, By: privacy.ByGuardian}).Receipt)
	other.ConsentTimestamp, other.ConsentReceiptID, other.PIIPrincipalID = r.ConsentTimestamp, r.ConsentReceiptID, r.PIIPrincipalID
	other.Record.RecordID, other.Record.ReceiptID, other.Record.PIIPrincipalID = r.ConsentReceiptID, r.ConsentReceiptID, r.PIIPrincipalID
	other.Record.Event.Time, other.Record.Event.EntityID = r.Record.Event.Time, r.Record.Event.EntityID
	if same, err := receipt.Payload(&other); err != nil || same != payload {
		t.Errorf("two people's receipts differ in more than pseudonym and time: %v", err)
	}
}

func TestReceiptsOfIdempotentRepeatsAreTheSame(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ref := custody.SubjectRef{ID: v.put("ada@example.com", nil)}
	once := custody.Once{Client: "crm", Key: "k", Operation: "consents-record", Request: []byte("x")}
	first, err := v.RecordConsent(t.Context(), steward, ref, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, once)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.RecordConsent(t.Context(), steward, ref, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, once)
	if err != nil || !reflect.DeepEqual(again, first) || first.Receipt == "" {
		t.Errorf("%+v, then %+v, %v", first, again, err)
	}
	if n := v.count(`SELECT count(*) FROM consent_receipt`); n != 1 {
		t.Errorf("%d receipts are kept", n)
	}
}

// A record that came without a receipt gets one when it is asked for, once, and it is on record who asked.
func TestReceiptIsMadeWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	recorded := v.decide(id, privacy.ActionWithdraw)
	v.exec(`DELETE FROM consent_receipt`)
	record, err := privacy.ParseSubjectID(recorded.ID)
	if err != nil {
		t.Fatal(err)
	}
	first, err := v.Receipt(t.Context(), steward, id, record)
	if err != nil {
		t.Fatal(err)
	}
	if r := v.verified(first); r.ConsentReceiptID != recorded.ID || r.Record.Event.State != "dpv:ConsentWithdrawn" {
		t.Errorf("it says %+v", r)
	}
	if again, err := v.Receipt(t.Context(), steward, id, record); err != nil || again != first {
		t.Errorf("asked again, another comes: %v", err)
	}
	if entries := v.newest(id, 1); entries[0].Action != "receipt.issue" || entries[0].Client != "crm" {
		t.Errorf("on record is %+v", entries[0])
	}
	if _, err := v.Receipt(t.Context(), steward, id, [16]byte{1}); privacy.CodeOf(err) != "record_not_found" {
		t.Errorf("of no record: %v", err)
	}
}

// While the keyring is away, permission cannot be given, but it can be taken back.
func TestWithdrawalDoesNotWaitForTheKeyring(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.decide(id, privacy.ActionGrant)
	v.hideSigningKey()
	before := v.count(`SELECT count(*) FROM consent_record`)
	_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
	if privacy.KindOf(err) != privacy.KindUnavailable || v.count(`SELECT count(*) FROM consent_record`) != before {
		t.Errorf("a grant without a receipt: %v", err)
	}
	recorded := v.decide(id, privacy.ActionWithdraw)
	if recorded.Receipt != "" || recorded.Status != privacy.ConsentWithdrawn {
		t.Errorf("got %+v", recorded)
	}
}

// Receipts of many at once, with the key rotated in between by somebody else, all verify, each with the key it names.
func TestReceiptsOverAKeyRotation(t *testing.T) {
	t.Parallel()
	v := setup(t)
	const clients, calls = 8, 6
	ids := make([]privacy.SubjectID, clients)
	for i := range ids {
		ids[i] = v.put(strings.Repeat("a", i+1)+"@example.com", nil)
	}
	var mu sync.Mutex
	var receipts []string
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for n := range calls {
				if n == calls/2 && id == ids[0] {
					if err := v.another().keys.RotateSigning(t.Context()); err != nil {
						t.Error(err)
					}
				}
				recorded, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				receipts = append(receipts, recorded.Receipt)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	keys := v.receiptKeys()
	if len(keys) != 2 || len(receipts) != clients*calls {
		t.Fatalf("%d keys, %d receipts", len(keys), len(receipts))
	}
	used := map[string]int{}
	for _, jws := range receipts {
		if _, err := receipt.Verify(jws, keys); err != nil {
			t.Error(err)
		}
		header, _, _ := strings.Cut(jws, ".")
		used[header]++
	}
	if len(used) != 2 {
		t.Errorf("signed under %d keys", len(used))
	}
}
