package receipt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/testenv"
	"github.com/consentry/consentry/schemas"
)

var at = time.Date(2026, time.March, 1, 12, 0, 0, 123456000, time.UTC)

func terms() receipt.Terms {
	return receipt.Terms{Purpose: "marketing.email", Titles: map[string]string{"en": "Marketing by email", "zh": "电子邮件营销"}, DPV: "https://w3id.org/dpv#DirectMarketing",
		Category: "marketing", PII: []string{"basic", "transaction"}, Sensitive: []string{"nationality"}, Profiling: true, Automated: true,
		ThirdParties: []string{"Ad Exchange", "Data House"}, Locations: []string{"IE", "US"}, Retention: "P2Y"}
}

func event() receipt.Event {
	return receipt.Event{ID: [16]byte{1, 2, 3}, Subject: privacy.SubjectID{4, 5, 6}, Action: privacy.ActionGrant, By: privacy.BySelf, Channel: "web", Method: "checkbox", OccurredAt: at}
}

// variants are events of every kind.
func variants() map[string]receipt.Event {
	v := map[string]receipt.Event{}
	for name, change := range map[string]func(*receipt.Event){
		"grant":    func(*receipt.Event) {},
		"deny":     func(e *receipt.Event) { e.Action = privacy.ActionDeny },
		"withdraw": func(e *receipt.Event) { e.Action = privacy.ActionWithdraw },
		"object":   func(e *receipt.Event) { e.Action = privacy.ActionObject },
		"lift":     func(e *receipt.Event) { e.Action = privacy.ActionLift },
		"pending":  func(e *receipt.Event) { e.Pending = true },
		"bare":     func(e *receipt.Event) { e.Channel, e.Method = "", "" },
		"confirmed, explicit, of a child, separate, with notice and expiry": func(e *receipt.Event) {
			e.Confirms, e.Explicit, e.By, e.ExpiresAt = [16]byte{9}, true, privacy.ByGuardian, at.AddDate(1, 0, 0)
			e.SeparateFor = []privacy.ConsentScope{privacy.ScopeSensitive, privacy.ScopeTransfer}
			e.Language, e.Notice = "zh-Hant", receipt.Notice{ID: "newsletter", Version: 3, Hash: strings.Repeat("ab", 32)}
		},
	} {
		e := event()
		change(&e)
		v[name] = e
	}
	return v
}

func payload(t testing.TB, event receipt.Event, terms receipt.Terms) []byte {
	t.Helper()
	controller := privacy.ExampleController()
	r := receipt.New(&controller, &terms, &event)
	encoded, err := receipt.Payload(&r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("test.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("test.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantValid(t *testing.T, schema *jsonschema.Schema) {
	t.Helper()
	few := receipt.Terms{Purpose: "service.support", Category: "service"}
	for name, event := range variants() {
		for _, terms := range []receipt.Terms{terms(), few} {
			document, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload(t, event, terms)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Errorf("%s, %s: %v", name, terms.Purpose, err)
			}
		}
	}
}

func TestReceiptsFollowKantara(t *testing.T) {
	t.Parallel()
	schema := compile(t, read(t, testenv.SharedData(t, "data", "consent_receipt", "kantara-consent-receipt-v1_1-schema.clean.json")))
	wantValid(t, schema)
	var broken map[string]any
	if err := json.Unmarshal(payload(t, event(), terms()), &broken); err != nil {
		t.Fatal(err)
	}
	for field := range broken {
		without := map[string]any{}
		for name, value := range broken {
			if name != field {
				without[name] = value
			}
		}
		if optional := field == "language" || field == "iso27560"; (schema.Validate(without) == nil) != optional {
			t.Errorf("without %s: %v", field, schema.Validate(without))
		}
	}
}

func TestReceiptsFollowTheirOwnSchema(t *testing.T) {
	t.Parallel()
	text, err := schemas.FS.ReadFile("receipt.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, compile(t, text))
}

// leftOut are optional fields that Consentry knows nothing to say about.
var leftOut = map[string]bool{"geographic_restrictions": true, "codes_of_conduct": true, "impact_assessment": true, "authority_party": true,
	"pii_attribute_id": true, "special_pii_category": true}

// Every field of ISO/IEC TS 27560 is there with something in it, or optional and left out on purpose.
func TestReceiptsCarryTheFieldsOfISO27560(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(bytes.NewReader(read(t, testenv.SharedData(t, "data", "consent_receipt", "iso27560_fields.csv")))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Record map[string]any `json:"iso27560"`
	}
	if err := json.Unmarshal(payload(t, event(), terms()), &whole); err != nil {
		t.Fatal(err)
	}
	inside := map[string]any{"Metadata fields": whole.Record, "Processing fields": whole.Record, "event fields": whole.Record["event"],
		"personal data fields": last(whole.Record["pii_information"]), "party fields": last(whole.Record["parties"])}
	for _, row := range rows[1:] {
		group, field, need := row[0], strings.ReplaceAll(row[1], " ", "_"), row[2]
		fields, _ := inside[group].(map[string]any)
		value, there := fields[field]
		switch {
		case leftOut[field] && need == "Optional" && !there:
		case !there || value == nil || value == "":
			t.Errorf("%s: %s (%s) is missing: %v", group, field, need, value)
		}
	}
}

func last(list any) any {
	items, _ := list.([]any)
	if len(items) == 0 {
		return nil
	}
	return items[len(items)-1]
}

// What a receipt says of the subject is the pseudonym; the terms and the controller are everybody's.
func TestReceiptsOfTwoPeopleDifferInPseudonymsAlone(t *testing.T) {
	t.Parallel()
	one, other := event(), event()
	other.Subject, other.ID = privacy.SubjectID{7, 7}, [16]byte{8, 8}
	text := string(payload(t, one, terms()))
	for from, to := range map[string]string{one.Subject.String(): other.Subject.String(), privacy.SubjectID(one.ID).String(): privacy.SubjectID(other.ID).String()} {
		text = strings.ReplaceAll(text, from, to)
	}
	if text != string(payload(t, other, terms())) {
		t.Error("they differ in more")
	}
}

func TestWhatReceiptsSay(t *testing.T) {
	t.Parallel()
	controller, about := privacy.ExampleController(), terms()
	for name, want := range map[string]struct{ state, kind, consentType, method, language, title string }{
		"grant":    {"dpv:ConsentGiven", "dpv:ExpressedConsent", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"deny":     {"dpv:ConsentRefused", "dpv:ExpressedConsent", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"withdraw": {"dpv:ConsentWithdrawn", "dpv:ExpressedConsent", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"object":   {"objected", "https://w3id.org/dpv/legal/eu/gdpr#A21", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"lift":     {"objection lifted", "https://w3id.org/dpv/legal/eu/gdpr#A21", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"pending":  {"dpv:ConsentRequested", "dpv:ExpressedConsent", "expressed by checkbox", "web, checkbox", "und", "Marketing by email"},
		"bare":     {"dpv:ConsentGiven", "dpv:ExpressedConsent", "expressed", "not stated", "und", "Marketing by email"},
		"confirmed, explicit, of a child, separate, with notice and expiry": {"dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent", "EXPLICIT", "web, checkbox", "zh-Hant", "电子邮件营销"},
	} {
		event := variants()[name]
		r := receipt.New(&controller, &about, &event)
		got := struct{ state, kind, consentType, method, language, title string }{r.Record.Event.State, r.Record.Event.Type,
			r.Services[0].Purposes[0].ConsentType, r.CollectionMethod, r.Record.Language, r.Services[0].Purposes[0].Purpose}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if r.ConsentTimestamp != at.Unix() || !r.Record.Event.Time.Equal(at) {
			t.Errorf("%s: at %d, %s", name, r.ConsentTimestamp, r.Record.Event.Time)
		}
	}
}

func BenchmarkPayload(b *testing.B) {
	controller, about, e := privacy.ExampleController(), terms(), event()
	for b.Loop() {
		r := receipt.New(&controller, &about, &e)
		encoded, err := receipt.Payload(&r)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(encoded)), "bytes")
	}
}
