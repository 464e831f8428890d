package catalogue_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// anyJSON draws a value of the attribute's type as a client would send it; it need not
// be acceptable.
func anyJSON(t *rapid.T, a *catalogue.Attribute) json.RawMessage {
	var value any
	switch a.Type {
	case catalogue.TypeInteger:
		value = rapid.Int64Range(-10, 2e15).Draw(t, "integer")
	case catalogue.TypeYear:
		value = rapid.IntRange(1700, 2300).Draw(t, "year")
	case catalogue.TypeMoney, catalogue.TypeDecimal:
		value = json.Number(fmt.Sprintf("%d.%0*d", rapid.Int64Range(-1e6, 1e13).Draw(t, "whole"), rapid.IntRange(1, 3).Draw(t, "places"), rapid.IntRange(0, 99).Draw(t, "fraction")))
	case catalogue.TypeDate:
		value = fmt.Sprintf("%04d-%02d-%02d", rapid.IntRange(1790, 2210).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month"), rapid.IntRange(1, 31).Draw(t, "day"))
	case catalogue.TypeEnum:
		v := rapid.SampledFrom(a.Values).Draw(t, "value")
		value = rapid.SampledFrom(append([]string{strings.ToUpper(v.Value), v.Value}, v.Synonyms...)).Draw(t, "spelling")
	case catalogue.TypeStrings:
		value = rapid.SliceOfN(anyText(), 0, 52).Draw(t, "items")
	case catalogue.TypeAmounts:
		value = rapid.MapOfN(anyText(), rapid.IntRange(-5, 1e9), 0, 52).Draw(t, "amounts")
	default:
		value = anyString(t, a.Normaliser)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal("marshal", err)
	}
	return raw
}

func anyText() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.OneOf(
		rapid.RuneFrom([]rune(" abcXYZ019.-\"\\\t\u00a0\u0301\u0308é张三ßİſK\u200d\u200bﬁ가힣ா"), unicode.Latin, unicode.Han),
		rapid.Rune(),
	), 0, 40, -1)
}

func anyString(t *rapid.T, n catalogue.Normaliser) string {
	switch n {
	case catalogue.NormaliseEmail:
		return anyText().Draw(t, "local") + "@" + rapid.SampledFrom([]string{"Example.COM", "bücher.example", "例え.jp", "faß.de"}).Draw(t, "domain")
	case catalogue.NormalisePhone:
		return rapid.StringMatching(`\+?(86|49|1|39|44)?[ 0-9()-]{5,14}`).Draw(t, "phone")
	case catalogue.NormaliseCountry:
		return rapid.StringMatching(`[A-Za-z]{2,3}|[0-9]{3}`).Draw(t, "country")
	case catalogue.NormaliseLanguage:
		return rapid.StringMatching(`[a-zA-Z]{2,3}([-_][A-Za-z]{4})?([-_][A-Za-z]{2})?`).Draw(t, "language")
	case catalogue.NormaliseCode, catalogue.NormalisePostcode:
		return rapid.StringMatching(`[A-Za-z0-9０-９ /.-]{1,20}`).Draw(t, "code")
	default:
		return anyText().Draw(t, "text")
	}
}

func TestNormalisedValuesStayAsTheyAre(t *testing.T) {
	c := load(t)
	for _, a := range c.Attributes() {
		t.Run(string(a.Name), func(t *testing.T) {
			accepted := 0
			rapid.Check(t, func(t *rapid.T) {
				raw := anyJSON(t, a)
				once, err := a.Normalise(raw, "DE")
				if err != nil {
					return
				}
				accepted++
				rendered, err := a.AppendJSON(nil, lent(once))
				if err != nil || !json.Valid(rendered) {
					t.Fatalf("%q renders as %q: %v", lent(once), rendered, err)
				}
				twice, err := a.Normalise(rendered, "")
				if err != nil || lent(twice) != lent(once) {
					t.Fatalf("%s: %q becomes %q: %v", raw, lent(once), lent(twice), err)
				}
				fromText, err := a.NormaliseText(lent(once), "")
				if err != nil || lent(fromText) != lent(once) {
					t.Fatalf("%s: as text %q becomes %q: %v", raw, lent(once), lent(fromText), err)
				}
				checkSameNumber(t, a, raw, rendered)
			})
			if accepted == 0 {
				t.Error("no value was accepted: the property was not tried")
			}
		})
	}
}

// checkSameNumber holds that a number keeps its value to the last digit.
func checkSameNumber(t *rapid.T, a *catalogue.Attribute, raw, rendered []byte) {
	switch a.Type {
	case catalogue.TypeInteger, catalogue.TypeYear, catalogue.TypeMoney, catalogue.TypeDecimal:
	default:
		return
	}
	in, _ := new(big.Rat).SetString(string(raw))
	out, ok := new(big.Rat).SetString(string(rendered))
	if !ok || in.Cmp(out) != 0 {
		t.Fatalf("%s is rendered as %s", raw, rendered)
	}
}

func TestAppendStringIsOneValidRendering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		var back string
		if err := json.Unmarshal(catalogue.AppendString(nil, text), &back); err != nil || back != text {
			t.Fatalf("%q comes back as %q: %v", text, back, err)
		}
	})
	if !json.Valid(catalogue.AppendString(nil, "a\xffb\x00")) {
		t.Error("broken UTF-8 makes broken JSON")
	}
}

func TestAppendJSONRefusesTextOfAnotherType(t *testing.T) {
	c := load(t)
	for name, text := range map[privacy.AttributeName]string{
		"income": "58138.00,", "orders_total": "", "birth_year": "-", "satisfaction": "1e5", "interests": `["a"`,
		"spend_by_category": `["a"]`, "orders_by_channel": `{"a":1}{`,
	} {
		got, err := attribute(t, c, name).AppendJSON([]byte("x"), text)
		if privacy.KindOf(err) != privacy.KindInternal || err == nil || string(got) != "x" {
			t.Errorf("%s: got %q, error %v", name, got, err)
		}
	}
}

// checkMask holds that of the value the mask shows what its rule names and no more.
func checkMask(t interface{ Fatalf(string, ...any) }, a *catalogue.Attribute, value string) {
	masked, err := a.Masked(privacy.NewCleartext(value))
	if err != nil {
		t.Fatalf("mask: %v", err)
	}
	got := lent(masked)
	if got == "***" {
		return
	}
	var shown, whole string
	switch {
	case a.Mask == nil:
		t.Fatalf("an attribute without mask shows %q", got)
	case a.Mask.Rule == catalogue.MaskEmail:
		at := strings.LastIndexByte(value, '@')
		if !strings.HasSuffix(got, "***"+value[at:]) {
			t.Fatalf("%q is masked as %q", value, got)
		}
		shown, whole = strings.TrimSuffix(got, "***"+value[at:]), value[:at]
	case a.Mask.Rule == catalogue.MaskPhone, a.Mask.Rule == catalogue.MaskLast:
		shown, whole = strings.TrimPrefix(got, "***"), value
		if len(shown) > 4 {
			t.Fatalf("%q is masked as %q", value, got)
		}
	default:
		shown, whole = strings.TrimRight(got, ".*"), value
	}
	number := a.Mask.Rule == catalogue.MaskPhone || a.Mask.Rule == catalogue.MaskLast // punctuation may be left out
	if shown == whole && whole != "" || !number && !strings.Contains(whole, shown) || number && 2*len(shown) > len(whole) {
		t.Fatalf("%q is masked as %q", value, got)
	}
	if utf8.RuneCountInString(shown) > 4 {
		t.Fatalf("of %q the mask shows %q", value, shown)
	}
	if got == value {
		t.Fatalf("%q is masked as itself", value)
	}
}

func TestMasksHide(t *testing.T) {
	c := load(t)
	for _, a := range c.Attributes() {
		if a.Type != catalogue.TypeString {
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			checkMask(t, a, anyString(t, a.Normaliser))
		})
	}
}
