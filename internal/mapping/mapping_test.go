package mapping_test

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// starter is read once: most tests parse many mappings.
var starter = sync.OnceValues(catalogue.Load)

func parseErr(t testing.TB, text string) (*mapping.Mapping, error) {
	t.Helper()
	c, err := starter()
	if err != nil {
		t.Fatal(err)
	}
	return mapping.ParseFor(c, []byte(text))
}

func parse(t testing.TB, text string) *mapping.Mapping {
	t.Helper()
	m, err := parseErr(t, text)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return m
}

// table is a mapping of one account column and the given further lines.
func table(lines ...string) string {
	return "format: csv\nsource: test\nidentifiers: [{type: account, column: id}]\n" + strings.Join(lines, "\n") + "\n"
}

func record(cells map[string]string) mapping.Record {
	return func(column string) (string, bool) {
		cell, ok := cells[column]
		return cell, ok
	}
}

func lent(c privacy.Cleartext) (out string) {
	_ = c.Borrow(func(t string) error { out = t; return nil })
	return out
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]string{
		"nothing":                   "",
		"not a mapping":             "- a\n- b",
		"not YAML":                  "format: [csv",
		"an unknown key":            table("colour: red"),
		"an unknown rule key":       table("attributes: {income: {colum: a}}"),
		"a key twice":               table("source: again"),
		"two documents":             table() + "---\n" + table(),
		"an unknown format":         strings.Replace(table(), "csv", "xls", 1),
		"no source":                 strings.Replace(table(), "source: test", "", 1),
		"no identifier":             "format: csv\nsource: test\n",
		"an unknown identifier":     strings.Replace(table(), "account", "shoe_size", 1),
		"an identifier from naught": strings.Replace(table(), "column: id", "prefix: x", 1),
		"a long delimiter":          table(`delimiter: ";;"`),
		"a quote as delimiter":      table(`delimiter: '"'`),
		"a delimiter in ndjson":     strings.Replace(table(`delimiter: ";"`), "csv", "ndjson", 1),
		"an encoding in parquet":    strings.Replace(table(`encoding: gbk`), "csv", "parquet", 1),
		"an unknown encoding":       table("encoding: ebcdic"),
		"an unknown regime":         table("regime: narnia"),
		"a long region":             table("region: china"),
		"an unknown attribute":      table("attributes: {shoe_size: {column: a}}"),
		"an attribute without rule": table("attributes: {income: }"),
		"an empty rule":             table("attributes: {income: {}}"),
		"two sources":               table("attributes: {income: {column: a, sum: [b]}}"),
		"an unnamed column":         table("attributes: {income: {sum: [a, '']}}"),
		"a sum of texts":            table("attributes: {city: {sum: [a]}}"),
		"entries of a number":       table("attributes: {income: {entries: {a: b}}}"),
		"a list of a number":        table("attributes: {income: {list: {a: b}}}"),
		"a format of a number":      table("attributes: {income: {column: a, format: YYYY-MM-DD}}"),
		"a format without day":      table("attributes: {birth_date: {column: a, format: MM/YYYY}}"),
		"a two-digit year":          table("attributes: {birth_date: {column: a, format: DD/MM/YY}}"),
		"a token twice":             table("attributes: {birth_date: {column: a, format: DD/MM/YYYY DD}}"),
		"words in a format":         table("attributes: {birth_date: {column: a, format: DD of MM YYYY}}"),
		"an age of a date":          table("attributes: {birth_date: {column: a, age_in_year: 2010}}"),
		"an age in no year":         table("attributes: {birth_year: {column: a, age_in_year: 10}}"),
		"a constant that is wrong":  table("attributes: {country: {constant: Atlantis}}"),
		"a constant with a map":     table("attributes: {country: {constant: DE, map: {a: b}}}"),
		"an unknown action":         table("consents: [{purpose: marketing.email, action: maybe}]"),
		"a consent for nothing":     table("consents: [{action: grant}]"),
		"a condition on nothing":    table("consents: [{purpose: marketing.email, action: grant, when: {equals: 'yes'}}]"),
		"collected twice":           table("collected_at: {column: a, constant: 2014-06-30}"),
		"collected never":           table("collected_at: {constant: yesterday}"),
		"an endless file":           table("# " + strings.Repeat("x", 1<<20)),
		"a bomb of aliases": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := parseErr(t, text)
			if privacy.CodeOf(err) != "invalid_mapping" || privacy.KindOf(err) != privacy.KindInvalid {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestRow(t *testing.T) {
	cases := []struct {
		name  string
		rule  string
		cells map[string]string
		want  string // canonical, "" for not known
	}{
		{"a column", "income: {column: a}", map[string]string{"a": " 58138 "}, "58138.00"},
		{"an empty column", "income: {column: a}", map[string]string{"a": "  "}, ""},
		{"a word for nothing", "income: {column: a, empty: [NA]}", map[string]string{"a": "NA"}, ""},
		{"columns", "full_name: {columns: [a, b]}", map[string]string{"a": "Anna", "b": " Smith"}, "Anna Smith"},
		{"columns in part", "full_name: {columns: [a, b]}", map[string]string{"a": "", "b": "Smith"}, "Smith"},
		{"empty columns", "full_name: {columns: [a, b]}", map[string]string{"a": "", "b": ""}, ""},
		{"a constant", "country: {constant: Germany}", nil, "DE"},
		{"a map", "gender: {column: a, map: {'1': male, '2': female}}", map[string]string{"a": "2"}, "female"},
		{"a map to nothing", "gender: {column: a, map: {'9': ''}}", map[string]string{"a": "9"}, ""},
		{"past a map", "gender: {column: a, map: {'1': male}}", map[string]string{"a": "女"}, "female"},
		{"a European date", "birth_date: {column: a, format: DD/MM/YYYY}", map[string]string{"a": "04/09/2012"}, "2012-09-04"},
		{"a loose date", "birth_date: {column: a, format: M/D/YYYY}", map[string]string{"a": "9/4/2012"}, "2012-09-04"},
		{"a Chinese date", "birth_date: {column: a, format: YYYY年M月D日}", map[string]string{"a": "2012年9月4日"}, "2012-09-04"},
		{"a date with time", "birth_date: {column: a, format: 'YYYY-MM-DD HH:mm:ss'}", map[string]string{"a": "2012-09-04 00:00:00"}, "2012-09-04"},
		{"a packed date", "birth_date: {column: a, format: YYYYMMDD}", map[string]string{"a": "20120904"}, "2012-09-04"},
		{"a sum", "spend_total: {sum: [a, b, c]}", map[string]string{"a": "0.10", "b": "0.20", "c": ""}, "0.30"},
		{"an empty sum", "spend_total: {sum: [a, b]}", map[string]string{"a": "", "b": ""}, ""},
		{"entries", "spend_by_category: {entries: {wine: a, fish: b, meat: c}}", map[string]string{"a": "635", "b": "1.5", "c": ""}, `{"fish":1.50,"wine":635.00}`},
		{"no entries", "spend_by_category: {entries: {wine: a}}", map[string]string{"a": ""}, ""},
		{"a list", "campaigns_accepted: {list: {spring: a, summer: b, autumn: c}}", map[string]string{"a": "1", "b": "no", "c": "Yes"}, `["autumn","spring"]`},
		{"a list of none", "campaigns_accepted: {list: {spring: a}}", map[string]string{"a": "0"}, `[]`},
		{"an unknown list", "campaigns_accepted: {list: {spring: a}}", map[string]string{"a": ""}, ""},
		{"a mapped list", "campaigns_accepted: {list: {spring: a}, map: {ja: 'yes'}}", map[string]string{"a": "ja"}, `["spring"]`},
		{"an age", "birth_year: {column: a, age_in_year: 2010}", map[string]string{"a": "30"}, "1980"},
		{"a national phone number", "phone: {column: a}", map[string]string{"a": "138 1234 5678"}, "+8613812345678"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			m := parse(t, table("region: CN", "attributes:", "  "+tc.rule))
			cells := map[string]string{"id": "7"}
			for column, cell := range tc.cells {
				cells[column] = cell
			}
			draft, err := m.Row(record(cells))
			if err != nil {
				t.Fatal(err)
			}
			name := privacy.AttributeName(tc.rule[:strings.IndexByte(tc.rule, ':')])
			value, known := draft.Attributes[name]
			if known != (tc.want != "") || lent(value) != tc.want {
				t.Errorf("got %q (known %v), want %q", lent(value), known, tc.want)
			}
		})
	}
}

func TestRowRefuses(t *testing.T) {
	const secret = "Geheimnis4711"
	cases := []struct {
		name, rule string
		cells      map[string]string
		want       string
	}{
		{"a wrong number", "income: {column: a}", map[string]string{"a": secret}, "column a: income must be"},
		{"a missing column", "income: {column: b}", nil, "column b: the record has no such column"},
		{"a wrong date", "birth_date: {column: a, format: DD/MM/YYYY}", map[string]string{"a": secret}, "column a: birth_date must be a date as DD/MM/YYYY"},
		{"an impossible date", "birth_date: {column: a, format: DD/MM/YYYY}", map[string]string{"a": "31/02/2012"}, "column a: birth_date"},
		{"a wrong summand", "spend_total: {sum: [a]}", map[string]string{"a": secret}, "column a: spend_total"},
		{"a number that explodes", "spend_total: {sum: [a]}", map[string]string{"a": "1e999999999"}, "column a: spend_total"},
		{"a fraction", "spend_total: {sum: [a]}", map[string]string{"a": "1/3"}, "column a: spend_total"},
		{"a sum too exact", "spend_total: {sum: [a]}", map[string]string{"a": "1.001"}, "column a: spend_total"},
		{"a wrong entry", "spend_by_category: {entries: {wine: a}}", map[string]string{"a": secret}, "column a: spend_by_category"},
		{"a wrong answer", "campaigns_accepted: {list: {spring: a}}", map[string]string{"a": secret}, "column a: campaigns_accepted"},
		{"a wrong age", "birth_year: {column: a, age_in_year: 2010}", map[string]string{"a": secret}, "column a: birth_year"},
		{"a negative age", "birth_year: {column: a, age_in_year: 2010}", map[string]string{"a": "-3"}, "column a: birth_year"},
		{"a control character", "full_name: {columns: [a, b]}", map[string]string{"a": secret, "b": "\x00"}, "column a, b: full_name"},
		{"a wrong identifier", "income: {constant: '1'}", map[string]string{"id": secret + " x"}, "column id: an identifier of type account"},
		{"no identifier", "income: {constant: '1'}", map[string]string{"id": " "}, "column id: at least one identifier"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			m := parse(t, table("attributes:", "  "+tc.rule))
			cells := map[string]string{"id": "7"}
			for column, cell := range tc.cells {
				cells[column] = cell
			}
			draft, err := m.Row(record(cells))
			if privacy.CodeOf(err) != "invalid_row" || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the value: %v", err)
			}
			if len(draft.Identifiers) > 0 || len(draft.Attributes) > 0 {
				t.Error("a refused row left half a draft")
			}
		})
	}
}

func TestDraftCarriesTheRest(t *testing.T) {
	m := parse(t, `
format: csv
encoding: gbk
source: shop
region: DE
regime: gdpr
collected_at: {column: when, format: DD.MM.YYYY}
identifiers:
  - {type: email, column: mail}
  - {type: customer_number, column: "#line", prefix: s-}
attributes:
  city: {column: town}
consents:
  - {purpose: marketing.email, action: grant, when: {column: news, equals: yes}}
  - {purpose: marketing.sms, action: deny, when: {column: news, equals: yes}}
  - {purpose: service.support, action: grant}
`)
	if got := m.Columns(); !slices.Equal(got, []string{"mail", "news", "town", "when"}) {
		t.Errorf("columns %v", got)
	}
	draft, err := m.Row(record(map[string]string{"mail": "", "#line": "12", "town": "Köln", "news": " yes ", "when": "30.06.2014"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(draft.Identifiers) != 1 || draft.Identifiers[0].Type != "customer_number" || lent(draft.Identifiers[0].Value) != "S-12" {
		t.Errorf("identifiers %v", draft.Identifiers)
	}
	if draft.Source != "shop" || draft.Region != "DE" || draft.Regime != privacy.RegimeGDPR || !draft.CollectedAt.Equal(time.Date(2014, 6, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("draft of %s, %s, %s at %v", draft.Source, draft.Region, draft.Regime, draft.CollectedAt)
	}
	want := []mapping.Consent{{Purpose: "marketing.email", Action: privacy.ActionGrant}, {Purpose: "marketing.sms", Action: privacy.ActionDeny}, {Purpose: "service.support", Action: privacy.ActionGrant}}
	if !slices.Equal(draft.Consents, want) {
		t.Errorf("consents %v", draft.Consents)
	}
	draft, err = m.Row(record(map[string]string{"mail": "A@Example.com", "#line": "13", "town": "", "news": "no", "when": ""}))
	if err != nil || len(draft.Identifiers) != 2 || len(draft.Consents) != 1 || !draft.CollectedAt.IsZero() {
		t.Errorf("second row: %+v, %v", draft, err)
	}
}

func TestDecode(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("张三")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ encoding, file, want string }{
		{"utf-8", "\ufeffid,张三", "id,张三"},
		{"utf-8", "id,张三", "id,张三"},
		{"utf-8", gbk, "\ufffd\ufffd\ufffd\ufffd"},
		{"gbk", gbk, "张三"},
		{"gb18030", gbk, "张三"},
		{"latin1", "Zo\xeb", "Zoë"},
		{"windows-1252", "\x80", "€"},
		{"utf-16", "\xff\xfea\x00", "a"},
		{"utf-16", "\xfe\xff\x00a", "a"},
		{"big5", "\xb1\x69", "張"},
	}
	for _, tc := range cases {
		got, err := io.ReadAll(parse(t, table("encoding: "+tc.encoding)).Decode(strings.NewReader(tc.file)))
		if err != nil || string(got) != tc.want {
			t.Errorf("%s %q: got %q, %v; want %q", tc.encoding, tc.file, got, err, tc.want)
		}
	}
}
