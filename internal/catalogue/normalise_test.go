package catalogue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// refused stands in a table for a value that must be refused.
const refused = "\x00refused"

func checkText(t *testing.T, got privacy.Cleartext, err error, want string) {
	t.Helper()
	if want == refused {
		if privacy.CodeOf(err) != "invalid_attribute_value" || privacy.KindOf(err) != privacy.KindInvalid || !got.IsEmpty() {
			t.Errorf("got %q, error %v; want it refused", lent(got), err)
		}
		return
	}
	if err != nil || lent(got) != want {
		t.Errorf("got %q, error %v; want %q", lent(got), err, want)
	}
}

func TestNormaliseJSON(t *testing.T) {
	c := load(t)
	long := strings.Repeat("x", 1_000_000)
	cases := []struct {
		attribute privacy.AttributeName
		raw, want string
	}{
		{"given_name", `"Anna"`, "Anna"},
		{"given_name", `  "  Anna \t Maria\n"`, "Anna Maria"},
		{"given_name", `"Zoe\u0308"`, "Zoë"},
		{"given_name", `"\u00a0张\u3000三 "`, "张 三"},
		{"given_name", `"An\u200bna\ufeff"`, "Anna"},
		{"given_name", `"👩‍👧"`, "👩‍👧"},
		{"given_name", `""`, refused},
		{"given_name", `"   "`, refused},
		{"given_name", `"a\u0000b"`, refused},
		{"given_name", `"a\u001bb"`, refused},
		{"given_name", `"a\u009fb"`, refused},
		{"given_name", `"a\ufffdb"`, refused},
		{"given_name", `"a\ud800b"`, refused},
		{"given_name", `"a\u202eb"`, refused},
		{"given_name", `"a\uffffb"`, refused},
		{"given_name", "\"a\xffb\"", refused},
		{"given_name", `"` + strings.Repeat("é", 128) + `"`, strings.Repeat("é", 128)},
		{"given_name", `"` + strings.Repeat("é", 129) + `"`, refused},
		{"given_name", `"` + long + `"`, refused},
		{"given_name", `null`, refused},
		{"given_name", `7`, refused},
		{"given_name", `["Anna"]`, refused},
		{"given_name", `{"a":"Anna"}`, refused},
		{"given_name", ``, refused},
		{"given_name", `"`, refused},
		{"given_name", `"a" "b"`, refused},
		{"given_name", `"a"b"`, refused},
		{"given_name", `"a`, refused},
		{"given_name", `"say \"hi\" \\ /"`, `say "hi" \ /`},
		{"health_notes", strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), refused},

		{"gender", `"M"`, "male"},
		{"gender", `"男"`, "male"},
		{"gender", `" FEMALE "`, "female"},
		{"gender", `"prefer not to say"`, "undisclosed"},
		{"gender", `"helicopter"`, refused},
		{"gender", `1`, refused},
		{"customer_level", `"金卡"`, "gold"},

		{"birth_date", `"1990-05-17"`, "1990-05-17"},
		{"birth_date", `"2000-02-29"`, "2000-02-29"},
		{"birth_date", `"1999-02-29"`, refused},
		{"birth_date", `"1990-5-17"`, refused},
		{"birth_date", `"17/05/1990"`, refused},
		{"birth_date", `"1990-05-17T00:00:00Z"`, refused},
		{"birth_date", `"0000-01-01"`, refused},
		{"birth_date", `"9999-12-31"`, refused},
		{"birth_date", `19900517`, refused},
		{"birth_year", `1893`, "1893"},
		{"birth_year", `1799`, refused},
		{"birth_year", `"1893"`, refused},
		{"birth_year", `1990.5`, refused},

		{"country", `"de"`, "DE"},
		{"country", `"DEU"`, "DE"},
		{"country", `"276"`, "DE"},
		{"country", `"Germany"`, "DE"},
		{"country", `"GERMANY"`, "DE"},
		{"country", `"德国"`, "DE"},
		{"country", `"中国"`, "CN"},
		{"country", `"China"`, "CN"},
		{"country", `"UK"`, "GB"},
		{"country", `"香港"`, "HK"},
		{"country", `"United States"`, "US"},
		{"country", `"USA"`, "US"},
		{"country", `"Viet Nam"`, "VN"},
		{"country", `"EU"`, refused},
		{"country", `"ZZ"`, refused},
		{"country", `"SU"`, refused},
		{"country", `"Atlantis"`, refused},
		{"country", `"` + strings.Repeat("D", 60_000) + `"`, refused},

		{"language", `"ZH_cn"`, "zh-CN"},
		{"language", `"iw"`, "he"},
		{"language", `"zh-hans-cn"`, "zh-Hans-CN"},
		{"language", `"und"`, refused},
		{"language", `"english"`, refused},
		{"language", `"en-x-anna-smith"`, refused},
		{"language", `"en-u-co-phonebk"`, refused},

		{"postcode", `" sw1a  1aa "`, "SW1A 1AA"},
		{"postcode", `"１０００８０"`, "100080"},
		{"postcode", `"10;drop"`, refused},
		{"postcode", `"-"`, refused},
		{"government_id", `"11010519491231002x"`, "11010519491231002X"},
		{"government_id", `"QQ 12 34 56 c"`, "QQ123456C"},
		{"wechat_id", `"oABC_d-1"`, "oABC_d-1"},
		{"wechat_id", `"two words"`, refused},

		{"income", `58138`, "58138.00"},
		{"income", `58138.5`, "58138.50"},
		{"income", `58138.500`, "58138.50"},
		{"income", `-0.00`, "0.00"},
		{"income", `-12.34`, "-12.34"},
		{"income", `0.1`, "0.10"},
		{"income", `9999999999999.99`, "9999999999999.99"},
		{"income", `10000000000000`, refused},
		{"income", `58138.505`, refused},
		{"income", `5.8e4`, refused},
		{"income", `0123`, refused},
		{"income", `"58138"`, refused},
		{"income", `NaN`, refused},
		{"income", `+5`, refused},
		{"income", `5.`, refused},
		{"income", `.5`, refused},
		{"income", `-`, refused},
		{"income", strings.Repeat("9", 100_000), refused},
		{"orders_total", `12`, "12"},
		{"orders_total", `12.0`, "12"},
		{"orders_total", `12.5`, refused},
		{"orders_total", `-1`, refused},
		{"orders_total", `999999999999999`, "999999999999999"},
		{"orders_total", `1000000000000000`, refused},
		{"orders_total", `true`, refused},
		{"satisfaction", `4.50`, "4.5"},
		{"satisfaction", `0`, "0"},
		{"satisfaction", `10.0001`, refused},

		{"interests", `["wine","art"," art "]`, `["art","wine"]`},
		{"interests", `[]`, `[]`},
		{"interests", `["say \"hi\""]`, `["say \"hi\""]`},
		{"interests", `["a",1]`, refused},
		{"interests", `["a",["b"]]`, refused},
		{"interests", `["a",""]`, refused},
		{"interests", `["a"] []`, refused},
		{"interests", `["a"`, refused},
		{"interests", `"wine"`, refused},
		{"interests", `["` + strings.Repeat(`x","`, 50) + `x"]`, refused},
		{"interests", strings.Repeat("[", 10_000), refused},
		{"spend_by_category", `{"wine":635,"fruit":88.5}`, `{"fruit":88.50,"wine":635.00}`},
		{"spend_by_category", `{}`, `{}`},
		{"spend_by_category", `{"wine":1,"wine ":2}`, refused},
		{"spend_by_category", `{"wine":"635"}`, refused},
		{"spend_by_category", `{"wine":{"red":1}}`, refused},
		{"spend_by_category", `{"":1}`, refused},
		{"spend_by_category", `{"wine":1e2}`, refused},
		{"spend_by_category", `{"wine":1}{}`, refused},
		{"orders_by_channel", `{"web":8}`, `{"web":8}`},
		{"orders_by_channel", `{"web":8.5}`, refused},
	}
	for _, tc := range cases {
		name := string(tc.attribute) + " " + tc.raw[:min(len(tc.raw), 30)]
		t.Run(name, func(t *testing.T) {
			got, err := attribute(t, c, tc.attribute).Normalise(json.RawMessage(tc.raw), "")
			checkText(t, got, err, tc.want)
		})
	}
}

func TestNormaliseText(t *testing.T) {
	c := load(t)
	cases := []struct {
		attribute  privacy.AttributeName
		text, want string
	}{
		{"income", " 58138 ", "58138.00"},
		{"income", "+58138.5", "58138.50"},
		{"income", "058138", "58138.00"},
		{"income", "58,138", refused},
		{"income", "", refused},
		{"income", "--5", refused},
		{"income", "+-5", refused},
		{"birth_year", "1957", "1957"},
		{"customer_since", "2012-09-04", "2012-09-04"},
		{"gender", "女", "female"},
		{"interests", "wine; art | art, music、茶", `["art","music","wine","茶"]`},
		{"interests", `["wine"]`, `["wine"]`},
		{"interests", " ; ", refused},
		{"spend_by_category", `{"wine":635}`, `{"wine":635.00}`},
		{"given_name", "a\x00b", refused},
		{"given_name", "\xd5\xc5", refused},
		{"given_name", strings.Repeat("y", 1_000_000), refused},
	}
	for _, tc := range cases {
		t.Run(string(tc.attribute)+" "+tc.text[:min(len(tc.text), 30)], func(t *testing.T) {
			got, err := attribute(t, c, tc.attribute).NormaliseText(tc.text, "")
			checkText(t, got, err, tc.want)
		})
	}
}

func TestNormaliseBoolean(t *testing.T) {
	starter := `{"attributes":[{"id":1,"name":"member","type":"boolean","category":"basic","classification":"personal","normaliser":"boolean",
		"retention":"P0D","facet":null,"generalise":null,"mask":null,"titles":{"en":"Member","zh":"会员"},"description":{"en":"d","zh":"d"}},
		{"id":2,"name":"country","type":"string","category":"basic","classification":"personal","normaliser":"country",
		"retention":"P0D","facet":null,"generalise":null,"mask":null,"titles":{"en":"c","zh":"c"},"description":{"en":"d","zh":"d"}},
		{"id":3,"name":"birth_date","type":"date","category":"basic","classification":"personal","normaliser":"date",
		"retention":"P0D","facet":null,"generalise":null,"mask":null,"titles":{"en":"c","zh":"c"},"description":{"en":"d","zh":"d"}}],
		"identifiers":[{"id":4,"type":"email","normaliser":"email","titles":{"en":"e","zh":"e"}}],
		"state":{"born":["birth_date"],"country":"country","region":"country"}}`
	c, err := catalogue.Parse([]byte(starter))
	if err != nil {
		t.Fatal(err)
	}
	member := attribute(t, c, "member")
	for raw, want := range map[string]string{"true": "true", " false ": "false", "1": refused, `"true"`: refused, "null": refused, "": refused} {
		got, err := member.Normalise(json.RawMessage(raw), "")
		checkText(t, got, err, want)
	}
	for text, want := range map[string]string{"Yes": "true", "0": "false", "是": "true", "maybe": refused, "": refused} {
		got, err := member.NormaliseText(text, "")
		checkText(t, got, err, want)
	}
	for text, fits := range map[string]bool{"true": true, "false": true, "1": false, "": false} {
		if _, err := member.AppendJSON(nil, text); (err == nil) != fits {
			t.Errorf("render: %v", err)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	c := load(t)
	cases := []struct {
		kind                privacy.IdentifierType
		value, region, want string
	}{
		{"email", " Anna.Smith@Example.COM ", "", "anna.smith@example.com"},
		{"email", "anna+news@example.com", "", "anna+news@example.com"},
		{"email", "anna@Bücher.example", "", "anna@xn--bcher-kva.example"},
		{"email", "用户@例え.jp", "", "用户@xn--r8jz45g.jp"},
		{"email", "ZOE\u0308@example.com", "", "zoë@example.com"},
		{"email", strings.Repeat("a", 64) + "@example.com", "", strings.Repeat("a", 64) + "@example.com"},
		{"email", strings.Repeat("a", 65) + "@example.com", "", refused},
		{"email", "a@" + strings.Repeat("b.", 124) + "com", "", "a@" + strings.Repeat("b.", 124) + "com"},
		{"email", "a@" + strings.Repeat("b.", 126) + "com", "", refused},
		{"email", "a@" + strings.Repeat("b", 64) + ".com", "", refused},
		{"email", "example.com", "", refused},
		{"email", "@example.com", "", refused},
		{"email", "anna@", "", refused},
		{"email", "anna@localhost", "", refused},
		{"email", "anna@127.0.0.1", "", refused},
		{"email", "anna@[127.0.0.1]", "", refused},
		{"email", "anna@example.com.", "", refused},
		{"email", "anna@example..com", "", refused},
		{"email", "anna@-example.com", "", refused},
		{"email", "anna@exa_mple.com", "", refused},
		{"email", "an na@example.com", "", refused},
		{"email", "anna@b@example.com", "", refused},
		{"email", ".anna@example.com", "", refused},
		{"email", "an..na@example.com", "", refused},
		{"email", `"anna"@example.com`, "", refused},
		{"email", "Anna <anna@example.com>", "", refused},
		{"email", "anna@example.com\r\nBcc: b@example.com", "", refused},
		{"email", "anna@example.com\x00", "", refused},
		{"email", "", "", refused},

		{"phone", "+86 138 1234 5678", "", "+8613812345678"},
		{"phone", "138 1234 5678", "CN", "+8613812345678"},
		{"phone", "138-1234-5678", "cn", "+8613812345678"},
		{"phone", "０１３８１２３４５６７８", "CN", "+8613812345678"},
		{"phone", "１３８１２３４５６７８", "CN", "+8613812345678"},
		{"phone", "(0)30 901820", "DE", "+4930901820"},
		{"phone", "0039 06 6982", "DE", "+39066982"},
		{"phone", "+39 06 6982", "", "+39066982"},
		{"phone", "tel:+49-30-901820", "", "+4930901820"},
		{"phone", "+49 30 901820 ext. 5", "", refused},
		{"phone", "030 901820", "", refused},
		{"phone", "030 901820", "ZZ", refused},
		{"phone", "abc", "DE", refused},
		{"phone", "+", "DE", refused},
		{"phone", "12", "DE", refused},
		{"phone", "+999 123456", "", refused},
		{"phone", "000000000000", "CN", refused}, // would lose a zero at each reading
		{"phone", strings.Repeat("1", 1000), "DE", refused},
		{"phone", "+8613812345678\x00", "", refused},

		{"account", " Acc-42 ", "", "Acc-42"},
		{"account", "two words", "", refused},
		{"account", strings.Repeat("a", 129), "", refused},
		{"customer_number", "k 00-42/b", "", "K00-42/B"},
		{"customer_number", "K_42", "", refused},
		{"wechat", "oABC_d-1", "", "oABC_d-1"},
		{"cookie", strings.Repeat("c", 1_000_000), "", refused},
	}
	for _, tc := range cases {
		t.Run(string(tc.kind)+" "+tc.value[:min(len(tc.value), 40)], func(t *testing.T) {
			identifier, ok := c.Identifier(tc.kind)
			if !ok {
				t.Fatal("no such identifier type")
			}
			got, err := identifier.Normalise(tc.value, tc.region)
			if tc.want != refused {
				if err != nil || lent(got) != tc.want {
					t.Errorf("got %q, error %v; want %q", lent(got), err, tc.want)
				}
				return
			}
			if privacy.CodeOf(err) != "invalid_identifier" || !got.IsEmpty() {
				t.Errorf("got %q, error %v; want it refused", lent(got), err)
			}
		})
	}
}

func TestErrorsNameTheAttributeNotTheValue(t *testing.T) {
	c := load(t)
	const secret = "Geheimnis4711"
	for _, a := range c.Attributes() {
		_, err := a.Normalise(json.RawMessage(`[{"`+secret+`":"`+secret+`"}]`), secret)
		if err == nil {
			t.Fatalf("%s takes a list of objects", a.Name)
		}
		if !strings.Contains(err.Error(), string(a.Name)) {
			t.Errorf("%s: the error does not name the attribute: %v", a.Name, err)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the value: %v", a.Name, err)
		}
	}
	for _, i := range c.Identifiers() {
		_, err := i.Normalise(secret+" \x00", secret)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v", i.Type, err)
		}
	}
}
