package segment

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

func TestPredicateReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPredicate(t, 4)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(p, again) {
			t.Fatalf("%s became %s", text, again.text())
		}
		if err := p.Check(facets); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

// The canonical form describes the same people, is its own canonical form, and does not depend on the order of members.
func TestCanonicalMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPredicate(t, 4)
		canonical, err := p.Canonical(facets)
		if err != nil {
			if privacy.CodeOf(err) != "contradictory_predicate" {
				t.Fatal(err)
			}
			return
		}
		twice, err := canonical.Canonical(facets)
		if err != nil || twice.text() != canonical.text() {
			t.Fatalf("%s became %s (%v)", canonical.text(), twice.text(), err)
		}
		mirrored, err := mirror(p).Canonical(facets)
		if err != nil || mirrored.text() != canonical.text() {
			t.Fatalf("%s and its mirror %s differ", canonical.text(), mirrored.text())
		}
		for range 20 {
			somebody := drawPerson(t, 0)
			if p.Matches(facets, somebody.value) != canonical.Matches(facets, somebody.value) {
				t.Fatalf("%s and %s differ on %v", p.text(), canonical.text(), somebody.facets)
			}
		}
	})
}

// A contradiction that is found is one: nobody matches.
func TestContradictionsDescribeNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Predicate{Op: OpAll, Of: []Predicate{drawPredicate(t, 1), drawPredicate(t, 2), drawPredicate(t, 1)}}
		if _, err := p.Canonical(facets); err == nil {
			return
		}
		if somebody := drawPerson(t, 0); p.Matches(facets, somebody.value) {
			t.Fatalf("%s matches %v", p.text(), somebody.facets)
		}
	})
}

func mirror(p Predicate) Predicate {
	turned := p
	turned.Of = nil
	for i := range p.Of {
		turned.Of = append(turned.Of, mirror(p.Of[len(p.Of)-1-i]))
	}
	return turned
}

func TestPredicateRefusals(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 6) + `{"facet":"city","exists":true}` + strings.Repeat(`}`, 6)
	wide := `{"all":[` + strings.Repeat(`{"facet":"city","exists":true},`, 200) + `{"facet":"city","exists":true}]}`
	long := `{"facet":"city","in":["x"` + strings.Repeat(`,"x"`, 500) + `]}`
	for _, c := range []struct{ name, source, code string }{
		{"nothing", ``, "invalid_predicate"},
		{"null", `null`, "invalid_predicate"},
		{"empty object", `{}`, "invalid_predicate"},
		{"two at once", `{"all":[{"facet":"city","exists":true}],"not":{"facet":"city","exists":true}}`, "invalid_predicate"},
		{"operator without facet", `{"eq":"x"}`, "invalid_predicate"},
		{"facet without operator", `{"facet":"city"}`, "invalid_predicate"},
		{"facet beside all", `{"facet":"city","all":[{"facet":"city","exists":true}]}`, "invalid_predicate"},
		{"unknown word", `{"facet":"city","like":"x"}`, "invalid_predicate"},
		{"trailing", `{"facet":"city","exists":true} {}`, "invalid_predicate"},
		{"exists false", `{"facet":"city","exists":false}`, "invalid_predicate"},
		{"between of three", `{"facet":"age_band","between":["18-24","25-34","35+"]}`, "invalid_predicate"},
		{"a number", `{"facet":"age_band","eq":3}`, "invalid_predicate"},
		{"empty all", `{"all":[]}`, "empty_predicate"},
		{"empty in", `{"facet":"city","in":[]}`, "empty_predicate"},
		{"too deep", deep, "predicate_too_deep"},
		{"too wide", wide, "predicate_too_wide"},
		{"too many values", long, "predicate_too_wide"},
		{"too long", `{"facet":"city","eq":"` + strings.Repeat("x", 70_000) + `"}`, "predicate_too_wide"},
		{"value too long", `{"facet":"city","eq":"` + strings.Repeat("x", 300) + `"}`, "unknown_facet_value"},
		{"unknown facet", `{"facet":"mood","eq":"good"}`, "unknown_facet"},
		{"unknown value", `{"facet":"gender","eq":"good"}`, "unknown_facet_value"},
		{"unordered", `{"facet":"gender","between":["male","female"]}`, "facet_not_ordered"},
		{"backwards", `{"facet":"age_band","between":["35+","18-24"]}`, "contradictory_predicate"},
		{"two cities at once", `{"all":[{"facet":"city","eq":"a"},{"facet":"city","eq":"b"}]}`, "contradictory_predicate"},
		{"yes and no", `{"all":[{"facet":"city","exists":true},{"not":{"facet":"city","exists":true}}]}`, "contradictory_predicate"},
		{"contradiction within", `{"any":[{"facet":"city","eq":"a"},{"all":[{"facet":"gender","eq":"male"},{"facet":"gender","eq":"female"}]}]}`, "contradictory_predicate"},
	} {
		p, err := Parse([]byte(c.source))
		if err == nil {
			_, err = p.Canonical(facets)
		}
		if privacy.CodeOf(err) != c.code || privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
}

func TestExplain(t *testing.T) {
	p, err := Parse([]byte(`{"all":[{"facet":"city","in":["上海市","北京市","Graz"]},{"facet":"age_band","between":["25-34","35+"]},
		{"any":[{"facet":"gender","eq":"female"},{"not":{"facet":"gender","exists":true}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{
		"en": "City is 上海市, 北京市 or Graz and Age band is from 25-34 to 35+ and (Gender is Female or not (Gender is known))",
		"zh": "城市为上海市、北京市或Graz，并且年龄段介于25-34至35+，并且（性别为女，或者不满足（性别已知））",
		"fr": "City is 上海市, 北京市 or Graz and Age band is from 25-34 to 35+ and (Gender is Female or not (Gender is known))",
	} {
		if got := p.Explain(facets, language); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", language, got, want)
		}
	}
}

func FuzzPredicate(f *testing.F) {
	f.Add([]byte(`{"all":[{"facet":"city","in":["a","b"]},{"not":{"facet":"age_band","between":["18-24","35+"]}}]}`))
	f.Add([]byte(`{"any":[{"facet":"gender","eq":"male"},{"facet":"city","exists":true}]}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := Parse(source)
		if err != nil {
			if privacy.KindOf(err) != privacy.KindInvalid {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse([]byte(p.text()))
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%s became %s (%v)", p.text(), again.text(), err)
		}
		_ = p.Explain(facets, "en")
		if canonical, err := p.Canonical(facets); err == nil {
			if twice, err := canonical.Canonical(facets); err != nil || twice.text() != canonical.text() {
				t.Fatalf("%s became %s (%v)", canonical.text(), twice.text(), err)
			}
		}
	})
}
