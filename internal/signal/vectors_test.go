package signal_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/testenv"
)

const vectorTime = "2006-01-02T15:04:05.000Z"

type vectors struct {
	Valid, Invalid []vector
	GPP            []vector
	US             []vector `json:"us_sections"`
}

type vector struct {
	String, Section, Reason string
	Decoded                 map[string]any
}

func readVectors(t testing.TB, path ...string) vectors {
	t.Helper()
	text, err := os.ReadFile(testenv.SharedData(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// asJSON brings what was decoded to the same plain values as the vectors.
func asJSON(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func list(ids *signal.IDs) []int {
	if ids == nil {
		return nil
	}
	return slices.AppendSeq([]int{}, ids.All())
}

func tcfView(c *signal.TCF) map[string]any {
	restrictions := []any{}
	for i := range c.Restrictions {
		r := &c.Restrictions[i]
		restrictions = append(restrictions, map[string]any{"purposeId": r.Purpose, "restrictionType": r.Type, "vendors": list(&r.Vendors)})
	}
	view := map[string]any{"core": map[string]any{
		"version": 2, "created": c.Created.Format(vectorTime), "lastUpdated": c.LastUpdated.Format(vectorTime), "cmpId": c.CMP, "cmpVersion": c.CMPVersion,
		"consentScreen": c.Screen, "consentLanguage": c.Language, "vendorListVersion": c.VendorList, "tcfPolicyVersion": c.Policy,
		"isServiceSpecific": c.ServiceSpecific, "useNonStandardTexts": c.NonStandardTexts, "specialFeatureOptIns": c.SpecialFeatures.IDs(),
		"purposesConsent": c.Consents.IDs(), "purposesLITransparency": c.LegitimateInterests.IDs(), "purposeOneTreatment": c.PurposeOneTreatment,
		"publisherCC": c.PublisherCountry, "vendorConsents": list(&c.VendorConsents), "vendorLegitimateInterests": list(&c.VendorInterests), "publisherRestrictions": restrictions}}
	if c.Disclosed != nil {
		view["disclosedVendors"] = list(c.Disclosed)
	}
	if c.Allowed != nil {
		view["allowedVendors"] = list(c.Allowed)
	}
	if p := c.Publisher; p != nil {
		view["publisherTC"] = map[string]any{"pubPurposesConsent": p.Consents.IDs(), "pubPurposesLITransparency": p.LegitimateInterests.IDs(), "numCustomPurposes": p.CustomPurposes,
			"customPurposesConsent": p.CustomConsents.IDs(), "customPurposesLITransparency": p.CustomLegitimateInterests.IDs()}
	}
	return view
}

func usView(name string, us *signal.US) map[string]any {
	view := map[string]any{"Version": us.Version}
	for field, values := range us.Fields {
		switch {
		case name == "uspv1":
			view[field] = string("-YN"[values[0]])
		case field == "Gpc":
			view["GpcSegmentType"], view["Gpc"] = 1, values[0] == 1
		case len(values) == 1:
			view[field] = values[0]
		default:
			view[field] = values
		}
	}
	return view
}

func same(t *testing.T, name string, got, want map[string]any) {
	t.Helper()
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			t.Errorf("%s: %s is %v, want %v", name, key, got[key], want[key])
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			t.Errorf("%s: %s is %v, and not expected", name, key, got[key])
		}
	}
}

func TestTCFVectors(t *testing.T) {
	v := readVectors(t, "data", "tcf", "tcf_v2_vectors.json")
	if len(v.Valid) < 10 || len(v.Invalid) < 7 {
		t.Fatalf("%d strings and %d to be rejected", len(v.Valid), len(v.Invalid))
	}
	for _, c := range v.Valid {
		decoded, err := signal.DecodeTCF(c.String)
		if err != nil {
			t.Errorf("%.20s: %v", c.String, err)
			continue
		}
		same(t, c.String[:20], asJSON(t, tcfView(decoded)), c.Decoded)
	}
	for _, c := range v.Invalid {
		if _, err := signal.DecodeTCF(c.String); privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", c.Reason, err)
		}
	}
}

func TestGPPVectors(t *testing.T) {
	v := readVectors(t, "data", "gpp", "gpp_vectors.json")
	if len(v.GPP) < 10 || len(v.US) < 4 || len(v.Invalid) < 4 {
		t.Fatalf("%d strings, %d sections and %d to be rejected", len(v.GPP), len(v.US), len(v.Invalid))
	}
	for _, c := range v.GPP {
		decoded, err := signal.DecodeGPP(c.String)
		if err != nil {
			t.Errorf("%.20s: %v", c.String, err)
			continue
		}
		ids, sections := []any{}, map[string]any{}
		for _, s := range decoded.Sections {
			ids = append(ids, float64(s.ID))
			switch {
			case s.US != nil:
				sections[s.Name] = asJSON(t, usView(s.Name, s.US))
			case s.TCF != nil:
				sections[s.Name] = asJSON(t, tcfView(s.TCF))
			}
		}
		want, _ := c.Decoded["sections"].(map[string]any)
		delete(want, "tcfcav1") // named, and not read
		if !reflect.DeepEqual(any(ids), c.Decoded["sectionIds"]) {
			t.Errorf("%.20s: sections %v, want %v", c.String, ids, c.Decoded["sectionIds"])
		}
		same(t, c.String, sections, want)
	}
	headers := map[string]string{"usnat": "DBABLA", "usca": "DBABBgA", "usco": "DBABJg", "usut": "DBABFg"}
	for _, c := range v.US {
		decoded, err := signal.DecodeGPP(headers[c.Section] + "~" + c.String)
		if err != nil || len(decoded.Sections) != 1 || decoded.Sections[0].Name != c.Section {
			t.Errorf("%s: %v, %v", c.Section, decoded, err)
			continue
		}
		same(t, c.Section, asJSON(t, usView(c.Section, decoded.Sections[0].US)), c.Decoded)
	}
	for _, c := range v.Invalid {
		if _, err := signal.DecodeGPP(c.String); privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", c.Reason, err)
		}
	}
}
