package catalogue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

func facet(t testing.TB, c *catalogue.Catalogue, name string) *catalogue.Facet {
	t.Helper()
	for _, f := range c.Facets() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no facet %s", name)
	return nil
}

type heldText struct{ value, until string }

// steps gives the steps of a facet as text: "value until day, …".
func steps(t testing.TB, c *catalogue.Catalogue, name string, now string, held map[privacy.AttributeName]heldText) string {
	t.Helper()
	all := facet(t, c, name).Steps(func(id privacy.AttributeID) (catalogue.HeldValue, bool) {
		a, _ := c.ByID(id)
		have, ok := held[a.Name]
		value := catalogue.HeldValue{Value: privacy.NewCleartext(have.value)}
		if have.until != "" {
			value.Until = day(have.until)
		}
		return value, ok
	}, day(now))
	var texts []string
	for _, step := range all {
		text := lent(step.Value)
		if !step.Until.IsZero() {
			text += " until " + step.Until.Format(time.DateOnly)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func TestFacetSteps(t *testing.T) {
	c := load(t)
	for _, tc := range []struct {
		name, facet string
		held        map[privacy.AttributeName]heldText
		want        string
	}{
		{"nothing held", "city", nil, ""},
		{"as it is", "city", map[privacy.AttributeName]heldText{"city": {"上海市", ""}}, "上海市"},
		{"kept for a time", "city", map[privacy.AttributeName]heldText{"city": {"上海市", "2027-01-01"}}, "上海市 until 2027-01-01, "},
		{"not kept any more", "city", map[privacy.AttributeName]heldText{"city": {"上海市", "2026-11-22"}}, ""},
		{"birthdays", "age_band", map[privacy.AttributeName]heldText{"birth_date": {"1990-03-05", ""}},
			"35-44 until 2035-03-05, 45-54 until 2045-03-05, 55-64 until 2055-03-05, 65+"},
		{"born on 29 February", "age_band", map[privacy.AttributeName]heldText{"birth_date": {"1964-02-29", ""}}, "55-64 until 2029-03-01, 65+"},
		{"a date before a year", "age_band", map[privacy.AttributeName]heldText{"birth_year": {"1990", ""}, "birth_date": {"1950-03-05", "2028-01-01"}},
			"65+ until 2028-01-01, 35-44 until 2035-12-31, 45-54 until 2045-12-31, 55-64 until 2055-12-31, 65+"},
		{"lifecycle", "lifecycle_stage", map[privacy.AttributeName]heldText{"last_purchase": {"2026-11-01", "2027-06-01"}, "recency_days": {"5", ""}},
			"active until 2026-12-01, cooling until 2027-01-30, at_risk until 2027-04-30, dormant until 2027-06-01, active"},
		{"no date", "lifecycle_stage", map[privacy.AttributeName]heldText{"last_purchase": {"no date", ""}, "recency_days": {"365", ""}}, "lost"},
		{"bands", "value_tier", map[privacy.AttributeName]heldText{"spend_total": {"99.99", ""}}, "low"},
		{"a bound is above it", "value_tier", map[privacy.AttributeName]heldText{"spend_total": {"2000.00", ""}}, "top"},
		{"a member", "response_class", map[privacy.AttributeName]heldText{"campaigns_accepted": {`["cmp1","response"]`, ""}}, "yes"},
		{"not a member", "response_class", map[privacy.AttributeName]heldText{"campaigns_accepted": {`["cmp1"]`, ""}}, "no"},
		{"the largest", "preferred_category", map[privacy.AttributeName]heldText{"spend_by_category": {`{"meat":3.00,"wine":7.00}`, ""}}, "wine"},
	} {
		if got := steps(t, c, tc.facet, "2026-11-22", tc.held); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// What is worked out ahead is what would be found at any time: the steps from now, read at a later time, give what the steps from then begin with.
func TestFacetStepsAgreeWithTime(t *testing.T) {
	c := load(t)
	changing := []*catalogue.Facet{facet(t, c, "age_band"), facet(t, c, "lifecycle_stage")}
	rapid.Check(t, func(t *rapid.T) {
		dates := rapid.Custom(func(t *rapid.T) time.Time {
			return day("1950-01-01").AddDate(0, 0, rapid.IntRange(0, 30000).Draw(t, "days"))
		})
		held := map[privacy.AttributeName]catalogue.HeldValue{
			"birth_date":    {Value: privacy.NewCleartext(dates.Draw(t, "born").Format(time.DateOnly)), Until: dates.Draw(t, "kept")},
			"birth_year":    {Value: privacy.NewCleartext("1970")},
			"last_purchase": {Value: privacy.NewCleartext(dates.Draw(t, "bought").Format(time.DateOnly)), Until: dates.Draw(t, "kept")},
			"recency_days":  {Value: privacy.NewCleartext("40"), Until: dates.Draw(t, "kept")},
		}
		find := func(id privacy.AttributeID) (catalogue.HeldValue, bool) {
			a, _ := c.ByID(id)
			have, ok := held[a.Name]
			return have, ok
		}
		now := dates.Draw(t, "now")
		later := now.AddDate(0, 0, rapid.IntRange(0, 9000).Draw(t, "passed"))
		for _, f := range changing {
			ahead := ""
			for _, step := range f.Steps(find, now) {
				ahead = lent(step.Value)
				if step.Until.IsZero() || later.Before(step.Until) {
					break
				}
			}
			if then := lent(f.Steps(find, later)[0].Value); ahead != then {
				t.Fatalf("%s: worked out ahead %q, found %q", f.Name, ahead, then)
			}
		}
	})
}

func TestFacetsKnowTheirValues(t *testing.T) {
	c := load(t)
	for name, want := range map[string]struct {
		values  []string
		ordered bool
	}{
		"age_band":       {[]string{"under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"}, true},
		"gender":         {[]string{"male", "female", "other", "undisclosed"}, false},
		"customer_level": {[]string{"standard", "bronze", "silver", "gold", "platinum", "diamond"}, true},
		"value_tier":     {[]string{"low", "middle", "high", "top"}, true},
		"response_class": {[]string{"no", "yes"}, false},
		"city":           {nil, false},
	} {
		f := facet(t, c, name)
		var values []string
		for _, v := range f.Values() {
			values = append(values, v.Value)
		}
		if !slices.Equal(values, want.values) || f.Ordered != want.ordered {
			t.Errorf("%s: %v, ordered %v", name, values, f.Ordered)
		}
	}
}

func TestFacetContradictions(t *testing.T) {
	starter, err := schemas.FS.ReadFile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, replaced string }{
		{"a facet twice", `{"name": "gender", "titles"`, `{"name": "city", "titles"`},
		{"nobody feeds it", `"facets": [`, `"facets": [{"name": "mood", "titles": {"en": "Mood", "zh": "心情"}},`},
		{"other bands", `"facet": {"name": "age_band", "rule": "age_band", "bounds": [18, 25, 35, 45, 55, 65]}`, `"facet": {"name": "age_band", "rule": "age_band", "bounds": [18, 65]}`},
	} {
		text := strings.Replace(string(starter), c.old, c.replaced, 1)
		if text == string(starter) {
			t.Fatalf("%s: nothing was changed", c.name)
		}
		if _, err := catalogue.Parse([]byte(text)); privacy.CodeOf(err) != "invalid_catalogue" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
