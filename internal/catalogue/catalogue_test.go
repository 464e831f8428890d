package catalogue_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

func load(t testing.TB) *catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.Load()
	if err != nil {
		t.Fatalf("load the starter catalogue: %v", err)
	}
	return c
}

func attribute(t testing.TB, c *catalogue.Catalogue, name privacy.AttributeName) *catalogue.Attribute {
	t.Helper()
	a, ok := c.Attribute(name)
	if !ok {
		t.Fatalf("no attribute %s", name)
	}
	return a
}

// lent lends a value to a test.
func lent(c privacy.Cleartext) (out string) {
	_ = c.Borrow(func(t string) error { out = t; return nil })
	return out
}

// The numbers are part of what sealed values are bound to: this list only ever grows.
const numbered = `given_name family_name full_name gender birth_date birth_year nationality government_id email phone
wechat_id street_address postcode city province country occupation industry company job_title education marital_status
household_size children_home teens_home income language preferred_channel source customer_level account_owner
customer_since interests values orders_total spend_total average_basket purchase_cycle_days first_purchase
last_purchase spend_by_category orders_by_channel complaints satisfaction visits_month app_sessions emails_opened
recency_days campaigns_sent campaigns_clicked campaigns_accepted health_notes religion device_id`

func TestStarterCatalogueKeepsItsNumbers(t *testing.T) {
	c := load(t)
	names := strings.Fields(numbered)
	if len(c.Attributes()) != len(names) {
		t.Fatalf("%d attributes, want %d", len(c.Attributes()), len(names))
	}
	for i, name := range names {
		a, ok := c.ByID(privacy.AttributeID(i + 1))
		if !ok || string(a.Name) != name {
			t.Errorf("number %d is not %s", i+1, name)
		}
	}
	identifiers := map[privacy.AttributeID]privacy.IdentifierType{1001: "email", 1002: "phone", 1003: "account", 1004: "device",
		1005: "wechat", 1006: "customer_number", 1007: "loyalty_card", 1008: "government_id", 1009: "cookie"}
	for id, want := range identifiers {
		byID, ok := c.IdentifierByID(id)
		byType, ok2 := c.Identifier(want)
		if !ok || !ok2 || byID != byType {
			t.Errorf("identifier %d is not %s", id, want)
		}
	}
	if len(c.Identifiers()) != len(identifiers) {
		t.Errorf("%d identifiers, want %d", len(c.Identifiers()), len(identifiers))
	}
}

func TestStarterCatalogueCoversEveryFacet(t *testing.T) {
	want := []string{"age_band", "city", "customer_level", "education", "gender", "income_band", "industry", "lifecycle_stage", "marital_status", "order_frequency",
		"preferred_category", "province", "response_class", "source", "value_tier"}
	var got []string
	for _, a := range load(t).Attributes() {
		if a.Facet != nil {
			got = append(got, a.Facet.Name)
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("facets %v, want %v", got, want)
	}
}

func TestPolicyDataIsPlainJSON(t *testing.T) {
	data := load(t).PolicyData()
	if len(data) != len(strings.Fields(numbered)) {
		t.Errorf("%d entries", len(data))
	}
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]struct {
		ID             int      `json:"id"`
		Classification string   `json:"classification"`
		Category       string   `json:"category"`
		Type           string   `json:"type"`
		DerivedFrom    []string `json:"derived_from"`
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if e := back["health_notes"]; e.ID != 52 || e.Classification != "sensitive" || e.Category != "basic" || e.Type != "string" {
		t.Errorf("health_notes: %+v", e)
	}
	if e := back["average_basket"]; !slices.Equal(e.DerivedFrom, []string{"orders_total", "spend_total"}) {
		t.Errorf("average_basket: %+v", e)
	}
}

func TestParseRefusesContradictions(t *testing.T) {
	starter, err := schemas.FS.ReadFile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, old, new string }{
		{"unknown member", `"max_length": 128`, `"longest": 128`},
		{"number used twice", `"id": 2,`, `"id": 1,`},
		{"name used twice", `"name": "family_name"`, `"name": "given_name"`},
		{"number of an attribute", `"id": 1001`, `"id": 7`},
		{"identifier number used twice", `"id": 1002`, `"id": 1001`},
		{"identifier type used twice", `"type": "phone", "normaliser": "phone", "titles"`, `"type": "email", "normaliser": "phone", "titles"`},
		{"number zero", `"id": 1,`, `"id": 0,`},
		{"out of order", `"id": 1,`, `"id": 500,`},
		{"unknown type", `"type": "date", "normaliser": "date"`, `"type": "datum", "normaliser": "date"`},
		{"normaliser of another type", `"type": "date", "normaliser": "date"`, `"type": "date", "normaliser": "year"`},
		{"unknown classification", `"classification": "sensitive"`, `"classification": "secret"`},
		{"unknown category", `"category": "basic"`, `"category": "misc"`},
		{"bad retention", `"retention": "P3Y"`, `"retention": "3 years"`},
		{"bad retention order", `"retention": "P3Y"`, `"retention": "P3DP"`},
		{"retention parts out of order", `"retention": "P3Y"`, `"retention": "P3M3Y"`},
		{"rule that does not fit", `"generalise": {"rule": "month"}`, `"generalise": {"rule": "largest"}`},
		{"falling bounds", `[18, 25, 35, 45, 55, 65]`, `[25, 18, 35, 45, 55, 65]`},
		{"labels that do not match", `"labels": ["low", "middle", "high", "top"]`, `"labels": ["low", "high"]`},
		{"one label for two bands of a facet", `"labels": ["low", "middle", "high", "top"]`, `"labels": ["low", "high", "middle", "high"]`},
		{"one label for two bands of a general form", `"labels": ["low", "fair", "good", "high"]`, `"labels": ["low", "fair", "good", "low"]`},
		{"reference to nothing", `{"rule": "attribute", "attribute": "province"}`, `{"rule": "attribute", "attribute": "county"}`},
		{"reference to itself", `{"rule": "attribute", "attribute": "province"}`, `{"rule": "attribute", "attribute": "city"}`},
		{"derived from nothing", `"derived_from": ["last_purchase"]`, `"derived_from": ["yesterday"]`},
		{"synonym of two values", `"synonyms": ["m", "man"`, `"synonyms": ["female", "man"`},
		{"born from a text", `"born": ["birth_date"`, `"born": ["full_name"`},
		{"country that is none", `"country": "country", "region"`, `"country": "city", "region"`},
		{"mask on a number", `"mask": null`, `"mask": {"rule": "shout"}`},
		{"no Chinese title", `{"en": "Given name", "zh": "名"}`, `{"en": "Given name"}`},
		{"unknown facet", `{"name": "city", "rule": "value"}`, `{"name": "mood", "rule": "value"}`},
		{"not JSON", `{`, `<`},
		{"trailing text", `"region": "province"}`, `"region": "province"}}`},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			broken := bytes.Replace(starter, []byte(tc.old), []byte(tc.new), 1)
			if bytes.Equal(broken, starter) {
				t.Fatal("the case changes nothing")
			}
			_, err := catalogue.Parse(broken)
			if privacy.CodeOf(err) != "invalid_catalogue" || privacy.KindOf(err) != privacy.KindInvalid {
				t.Errorf("error %v", err)
			}
		})
	}
}
