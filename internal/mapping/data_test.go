package mapping_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// sharedData finds the folder of real data beside the project, and skips where there is none.
func sharedData(t *testing.T) string {
	t.Helper()
	if root := os.Getenv("CONSENTRY_SHARED"); root != "" {
		return filepath.Join(root, "data")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		data := filepath.Join(filepath.Dir(dir), "shared", "data")
		if _, err := os.Stat(data); err == nil {
			return data
		}
	}
	t.Skip("shared/data is absent: set CONSENTRY_SHARED to the folder that holds data/")
	return ""
}

// drafts maps a whole file.
func drafts(t *testing.T, mappingFile, dataFile string) []mapping.Draft {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", mappingFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := mapping.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(dataFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reader := csv.NewReader(m.Decode(file))
	reader.Comma = []rune(m.Delimiter)[0]
	header, err := reader.Read()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, column := range header {
		at[column] = i
	}
	for _, column := range m.Columns() {
		if _, ok := at[column]; !ok {
			t.Errorf("the file has no column %s", column)
		}
	}
	var out []mapping.Draft
	for line := 1; ; line++ {
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		draft, err := m.Row(func(column string) (string, bool) {
			if column == mapping.LineColumn {
				return strconv.Itoa(line), true
			}
			i, ok := at[column]
			if !ok {
				return "", false
			}
			return cells[i], true
		})
		if err != nil {
			t.Fatalf("line %d: %v", line, err)
		}
		out = append(out, draft)
	}
}

// amounts adds up canonical amounts into sums.
func amounts(t *testing.T, value privacy.Cleartext, sums map[string]float64) {
	t.Helper()
	var parts map[string]float64
	if err := json.Unmarshal([]byte(lent(value)), &parts); err != nil {
		t.Fatal(err)
	}
	for name, amount := range parts {
		sums[name] += amount
	}
}

func accepted(t *testing.T, draft mapping.Draft) []string {
	t.Helper()
	var items []string
	if err := json.Unmarshal([]byte(lent(draft.Attributes["campaigns_accepted"])), &items); err != nil {
		t.Fatal(err)
	}
	return items
}

func number(t *testing.T, value privacy.Cleartext) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(lent(value), 64)
	if err != nil {
		t.Fatal("not a number")
	}
	return n
}

type answers struct {
	Marketing struct {
		Rows      int                `json:"rows"`
		Missing   int                `json:"missing_income"`
		Response  [2]float64         `json:"Response"`
		Cmp1      [2]float64         `json:"AcceptedCmp1"`
		Cmp2      [2]float64         `json:"AcceptedCmp2"`
		Cmp3      [2]float64         `json:"AcceptedCmp3"`
		Cmp4      [2]float64         `json:"AcceptedCmp4"`
		Cmp5      [2]float64         `json:"AcceptedCmp5"`
		AnyOfSix  int                `json:"any_of_six"`
		Complain  float64            `json:"Complain"`
		Spend     map[string]float64 `json:"spend"`
		Purchases map[string]float64 `json:"purchases"`
		Education map[string][2]int  `json:"response_by_education"`
		Marital   map[string][2]int  `json:"response_by_marital"`
	} `json:"marketing_campaign"`
	Bank struct {
		Small struct {
			Rows int `json:"rows"`
			Yes  int `json:"yes"`
		} `json:"bank.csv"`
	} `json:"bank_marketing"`
}

func known(t *testing.T, data string) (a answers) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "known_answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestMarketingCampaignSums(t *testing.T) {
	data := sharedData(t)
	want := known(t, data).Marketing
	rows := drafts(t, "marketing_campaign.yaml", filepath.Join(data, "marketing_campaign", "marketing_campaign.csv"))

	identifiers, campaigns := map[string]bool{}, map[string]float64{}
	spend, orders := map[string]float64{}, map[string]float64{}
	education, marital := map[string][2]int{}, map[string][2]int{}
	var total, complaints float64
	var missing, anyOfSix int
	oldest, richest := 9999.0, 0.0
	for _, row := range rows {
		identifiers[lent(row.Identifiers[0].Value)] = true
		amounts(t, row.Attributes["spend_by_category"], spend)
		amounts(t, row.Attributes["orders_by_channel"], orders)
		total += number(t, row.Attributes["spend_total"])
		complaints += number(t, row.Attributes["complaints"])
		oldest = min(oldest, number(t, row.Attributes["birth_year"]))
		if income, ok := row.Attributes["income"]; ok {
			richest = max(richest, number(t, income))
		} else {
			missing++
		}
		items := accepted(t, row)
		response := 0
		for _, item := range items {
			campaigns[item]++
			if item == "response" {
				response = 1
			}
		}
		if len(items) > 0 {
			anyOfSix++
		}
		count(education, lent(row.Attributes["education"]), response)
		count(marital, lent(row.Attributes["marital_status"]), response)
	}

	equal(t, "rows", len(rows), want.Rows)
	equal(t, "distinct identifiers", len(identifiers), want.Rows)
	equal(t, "rows without income", missing, want.Missing)
	equal(t, "any of six", anyOfSix, want.AnyOfSix)
	equal(t, "complaints", complaints, want.Complain)
	equal(t, "spend", total, want.Spend["total"])
	for name, column := range map[string]string{"wine": "MntWines", "fruit": "MntFruits", "meat": "MntMeatProducts", "fish": "MntFishProducts", "sweets": "MntSweetProducts", "gold": "MntGoldProds"} {
		equal(t, "spend on "+name, spend[name], want.Spend[column])
	}
	for name, column := range map[string]string{"web": "NumWebPurchases", "catalog": "NumCatalogPurchases", "store": "NumStorePurchases", "deals": "NumDealsPurchases"} {
		equal(t, "orders by "+name, orders[name], want.Purchases[column])
	}
	for name, answer := range map[string][2]float64{"response": want.Response, "cmp1": want.Cmp1, "cmp2": want.Cmp2, "cmp3": want.Cmp3, "cmp4": want.Cmp4, "cmp5": want.Cmp5} {
		equal(t, "accepted "+name, campaigns[name], answer[0])
	}
	sameCounts(t, "education", education, want.Education)
	sameCounts(t, "marital status", marital, want.Marital)
	equal(t, "the oldest birth year", oldest, 1893)
	equal(t, "the highest income", richest, 666666)
	equal(t, "first row customer since", lent(rows[0].Attributes["customer_since"]), "2012-09-04")
}

func TestBankMarketingSums(t *testing.T) {
	data := sharedData(t)
	want := known(t, data).Bank.Small
	rows := drafts(t, "bank.yaml", filepath.Join(data, "bank_marketing", "bank.csv"))
	identifiers, yes := map[string]bool{}, 0
	for _, row := range rows {
		identifiers[lent(row.Identifiers[0].Value)] = true
		if items := accepted(t, row); strings.Join(items, " ") == "term_deposit" {
			yes++
		}
	}
	equal(t, "rows", len(rows), want.Rows)
	equal(t, "distinct identifiers", len(identifiers), want.Rows)
	equal(t, "yes", yes, want.Yes)
	equal(t, "first birth year", lent(rows[0].Attributes["birth_year"]), "1980")
}

func count(counts map[string][2]int, key string, response int) {
	c := counts[key]
	counts[key] = [2]int{c[0] + 1, c[1] + response}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func sameCounts(t *testing.T, what string, got, want map[string][2]int) {
	t.Helper()
	equal(t, what+" values", len(got), len(want))
	for key, n := range want {
		equal(t, what+" "+key, got[key], n)
	}
}
