package catalogue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

func day(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestGeneralised(t *testing.T) {
	c := load(t)
	now := day("2026-11-22")
	cases := []struct {
		attribute   privacy.AttributeName
		value, want string
	}{
		{"birth_date", "1990-05-17", "35-44"},
		{"birth_date", "2008-11-22", "18-24"}, // eighteen today
		{"birth_date", "2008-11-23", "under 18"},
		{"birth_date", "1893-01-01", "65+"},
		{"birth_date", "2100-01-01", "under 18"},
		{"birth_year", "2008", "under 18"}, // until the year is over
		{"birth_year", "2007", "18-24"},
		{"birth_year", "1893", "65+"},
		{"income", "0.00", "under 20000"},
		{"income", "-0.50", "under 20000"},
		{"income", "19999.99", "under 20000"},
		{"income", "20000.00", "20000-39999"},
		{"income", "39999.99", "20000-39999"},
		{"income", "666666.00", "150000+"},
		{"children_home", "0", "none"},
		{"children_home", "2", "1-2"},
		{"household_size", "2", "2"},
		{"household_size", "1", "under 2"},
		{"customer_since", "2014-03-08", "2014-03"},
		{"last_purchase", "2026-02-11", "2026-02"},
		{"postcode", "100080", "100***"},
		{"postcode", "SW1A 1AA", "SW1***"},
		{"postcode", "1234", "12***"},
		{"postcode", "1", "***"},
		{"gender", "female", "female"},
		{"interests", `["art","wine"]`, "2"},
		{"campaigns_accepted", `[]`, "0"},
		{"spend_by_category", `{"fruit":88.00,"wine":635.00}`, "wine"},
		{"spend_by_category", `{"b":5.00,"a":5.00}`, "a"},
		{"spend_by_category", `{"wine":0.00}`, "***"},
		{"full_name", "Anna Smith", "***"},
		{"email", "anna@example.com", "***"},
		{"health_notes", "asthma", "***"},
		{"birth_date", "no date", "***"},
		{"income", "no number", "***"},
		{"spend_by_category", "no object", "***"},
	}
	for _, tc := range cases {
		t.Run(string(tc.attribute)+" "+tc.value, func(t *testing.T) {
			got, err := attribute(t, c, tc.attribute).Generalised(privacy.NewCleartext(tc.value), now)
			if err != nil || lent(got) != tc.want {
				t.Errorf("got %q, error %v; want %q", lent(got), err, tc.want)
			}
		})
	}
}

func TestGeneraliseFromAnotherAttribute(t *testing.T) {
	c := load(t)
	for name, want := range map[privacy.AttributeName]privacy.AttributeName{"city": "province", "province": "country", "street_address": "city"} {
		a := attribute(t, c, name)
		if got, ok := a.GeneraliseFrom(); !ok || got != want {
			t.Errorf("%s generalises to %q", name, got)
		}
		if got, err := a.Generalised(privacy.NewCleartext("Beijing"), day("2026-11-22")); err == nil || !got.IsEmpty() {
			t.Errorf("%s: a value that has no general form of its own gave %q", name, lent(got))
		}
	}
	if _, ok := attribute(t, c, "income").GeneraliseFrom(); ok {
		t.Error("income generalises from itself")
	}
}

func TestMasked(t *testing.T) {
	c := load(t)
	zalgo := "a" + strings.Repeat("\u0301", 200)
	cases := []struct {
		attribute   privacy.AttributeName
		value, want string
	}{
		{"email", "anna@example.com", "a***@example.com"},
		{"email", "ab@example.com", "a***@example.com"},
		{"email", "a@example.com", "***@example.com"},
		{"email", "用户@example.com", "用***@example.com"},
		{"email", zalgo + "b@example.com", "***@example.com"},
		{"email", "no address", "***"},
		{"phone", "+8613812345678", "***5678"},
		{"phone", "+2901234", "***234"},
		{"phone", "+1", "***"},
		{"phone", "", "***"},
		{"full_name", "Anna Smith", "A."},
		{"full_name", "Al", "A."},
		{"full_name", "A", "***"},
		{"full_name", "A.", "***"},
		{"full_name", "E\u0301mile", "E\u0301."},
		{"full_name", "张三", "张**"},
		{"full_name", "张", "***"},
		{"full_name", "김민준", "김**"},
		{"full_name", "👩‍👧 Anna", "***"},
		{"full_name", zalgo + "nna", "***"},
		{"full_name", "7up", "***"},
		{"family_name", "欧阳", "欧**"},
		{"city", "Beijing", "***"},
		{"income", "58138.00", "***"},
		{"government_id", "11010519491231002X", "***002X"},
		{"government_id", "AB1234", "***34"},
		{"government_id", "A1", "***"},
		{"interests", `["art"]`, "***"},
	}
	for _, tc := range cases {
		t.Run(string(tc.attribute)+" "+tc.value[:min(len(tc.value), 20)], func(t *testing.T) {
			got, err := attribute(t, c, tc.attribute).Masked(privacy.NewCleartext(tc.value))
			if err != nil || lent(got) != tc.want {
				t.Errorf("got %q, error %v; want %q", lent(got), err, tc.want)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	c := load(t)
	collected := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for name, want := range map[privacy.AttributeName]time.Time{
		"email":        time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC),
		"visits_month": time.Date(2025, 3, 29, 12, 0, 0, 0, time.UTC),
	} {
		if got, ok := attribute(t, c, name).Expiry(collected); !ok || !got.Equal(want) {
			t.Errorf("%s expires at %v, want %v", name, got, want)
		}
	}
	forever := &catalogue.Attribute{}
	if _, ok := forever.Expiry(collected); ok {
		t.Error("a value without retention expires")
	}
}

func TestPeriods(t *testing.T) {
	for text, want := range map[string]string{"P3Y": "P3Y", "P18M": "P18M", "P2W": "P14D", "P1Y2M3W4D": "P1Y2M25D", "P0D": "P0D"} {
		p, err := catalogue.ParsePeriod(text)
		if err != nil || p.String() != want {
			t.Errorf("%s: %s, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "P", "3Y", "P3", "PT3H", "P-3Y", "P1.5Y", "P3M1Y", "P99999Y", "p3y", "P3Y "} {
		if p, err := catalogue.ParsePeriod(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}

func TestFacts(t *testing.T) {
	c := load(t)
	cases := []struct {
		name   string
		values map[privacy.AttributeName]string
		want   catalogue.Facts
	}{
		{"nothing", nil, catalogue.Facts{}},
		{"the day counts before the year", map[privacy.AttributeName]string{"birth_date": "1990-05-17", "birth_year": "1991", "country": "DE", "province": "Bayern"},
			catalogue.Facts{Born: day("1990-05-17"), Country: "DE", Region: "Bayern"}},
		{"a year ends on its last day", map[privacy.AttributeName]string{"birth_year": "2008"}, catalogue.Facts{Born: day("2008-12-31")}},
		{"a broken day gives way to the year", map[privacy.AttributeName]string{"birth_date": "?", "birth_year": "2008"}, catalogue.Facts{Born: day("2008-12-31")}},
		{"nationality is not residence", map[privacy.AttributeName]string{"nationality": "FR"}, catalogue.Facts{}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got := c.Facts(func(name privacy.AttributeName) (privacy.Cleartext, bool) {
				text, ok := tc.values[name]
				return privacy.NewCleartext(text), ok
			})
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
