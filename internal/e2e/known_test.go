package e2e_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// Real customers go in through the command and the API, agree to be analysed, and come out through
// disclosures: what is known of the tables can be worked out from the answers.
func TestKnownAnswersOfMarketingCampaign(t *testing.T) {
	file := testenv.SharedData(t, "data", "marketing_campaign", "marketing_campaign.csv")
	want := knownAnswers(t)["marketing_campaign"].(map[string]any)
	v := setup(t)
	v.importFile(file, "../mapping/testdata/marketing_campaign.yaml", 2240)
	refs := make([]object, 0, 2240)
	for _, row := range table(t, file) {
		refs = append(refs, identified("customer_number", "MC-"+row["ID"]))
	}
	v.agree(refs, "analytics.profiling")

	spend, channels, accepted := map[string]float64{}, map[string]float64{}, map[string]float64{}
	education, marital := map[string][]float64{}, map[string][]float64{}
	var total, complaints, anyOfSix, withoutIncome float64
	for _, one := range v.analyse(refs, "spend_by_category", "spend_total", "orders_by_channel", "campaigns_accepted", "complaints", "education", "marital_status", "income") {
		sumUp(spend, one.Attributes["spend_by_category"])
		sumUp(channels, one.Attributes["orders_by_channel"])
		total += number(one.Attributes["spend_total"])
		complaints += number(one.Attributes["complaints"])
		if one.Withheld["income"] == "no_value" {
			withoutIncome++
		}
		campaigns, _ := one.Attributes["campaigns_accepted"].([]any)
		response := 0.0
		for _, campaign := range campaigns {
			accepted[campaign.(string)]++
			if campaign == "response" {
				response = 1
			}
		}
		if len(campaigns) > 0 {
			anyOfSix++
		}
		tally(education, one.Attributes["education"], response)
		tally(marital, one.Attributes["marital_status"], response)
	}
	same := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	known := func(name string) map[string]any { return want[name].(map[string]any) }
	for ours, theirs := range map[string]string{"wine": "MntWines", "fruit": "MntFruits", "meat": "MntMeatProducts", "fish": "MntFishProducts", "sweets": "MntSweetProducts", "gold": "MntGoldProds"} {
		same(theirs, spend[ours], known("spend")[theirs])
	}
	same("spend", total, known("spend")["total"])
	for ours, theirs := range map[string]string{"web": "NumWebPurchases", "catalog": "NumCatalogPurchases", "store": "NumStorePurchases", "deals": "NumDealsPurchases"} {
		same(theirs, channels[ours], known("purchases")[theirs])
	}
	for ours, theirs := range map[string]string{"cmp1": "AcceptedCmp1", "cmp2": "AcceptedCmp2", "cmp3": "AcceptedCmp3", "cmp4": "AcceptedCmp4", "cmp5": "AcceptedCmp5", "response": "Response"} {
		same(theirs, accepted[ours], want[theirs].([]any)[0])
	}
	same("any of six", anyOfSix, want["any_of_six"])
	same("complaints", complaints, want["Complain"])
	same("missing income", withoutIncome, want["missing_income"])
	same("response by education", floats(education), known("response_by_education"))
	same("response by marital status", floats(marital), known("response_by_marital"))
}

func TestKnownAnswersOfBank(t *testing.T) {
	file := testenv.SharedData(t, "data", "bank_marketing", "bank.csv")
	want := knownAnswers(t)["bank_marketing"].(map[string]any)["bank.csv"].(map[string]any)
	v := setup(t)
	v.importFile(file, "../mapping/testdata/bank.yaml", 4521)
	refs := make([]object, 4521)
	for i := range refs {
		refs[i] = identified("account", fmt.Sprintf("bank-%d", i+1))
	}
	v.agree(refs, "analytics.profiling")
	rows, yes := 0.0, 0.0
	for _, one := range v.analyse(refs, "campaigns_accepted") {
		rows++
		if campaigns, _ := one.Attributes["campaigns_accepted"].([]any); slices.Contains(campaigns, any("term_deposit")) {
			yes++
		}
	}
	if rows != want["rows"] || yes != want["yes"] {
		t.Errorf("%v rows, %v yes; want %v", rows, yes, want)
	}
}

func knownAnswers(t *testing.T) (answers map[string]any) {
	t.Helper()
	content, err := os.ReadFile(testenv.SharedData(t, "data", "known_answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// table reads a semicolon-separated file as rows by column.
func table(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	reader := csv.NewReader(file)
	reader.Comma = ';'
	records, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		row := make(map[string]string, len(record))
		for i, column := range records[0] {
			row[column] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// importFile runs `consentry import` against the API; every row must become a subject.
func (v *vault) importFile(file, mapping string, want int) {
	v.t.Helper()
	name, err := consentry()
	if err != nil {
		v.t.Fatal(err)
	}
	dir := v.t.TempDir()
	command := exec.CommandContext(v.t.Context(), name, "import", file, "--mapping", mapping, "--json", "--rejects", dir+"/rejects", "--state", dir+"/state", "--url", v.url)
	command.Env = append(os.Environ(), "CONSENTRY_TOKEN="+v.steward())
	output, err := command.Output()
	if err != nil {
		v.t.Fatalf("import: %v\n%s", err, output)
	}
	var summary struct{ Created, Updated, Rejected int }
	if err := json.Unmarshal(output, &summary); err != nil || summary.Created != want || summary.Rejected != 0 || summary.Updated != 0 {
		v.t.Fatalf("import: %s, %v; want %d created", output, err, want)
	}
}

func identified(kind, value string) object {
	return object{"identifier": object{"type": kind, "value": value}}
}

// agree has everybody grant a purpose, expressly and separately, as the strictest law asks of those
// whose country is not known.
func (v *vault) agree(refs []object, purpose string) {
	v.t.Helper()
	steward := v.steward()
	var next atomic.Int64
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(refs); i = int(next.Add(1)) - 1 {
				a := v.call(http.MethodPost, v.url+"/v1/consents", steward, object{"subject": refs[i], "purpose": purpose, "action": "grant", "explicit": true,
					"separate_for": []string{"sensitive", "third_party", "transfer"}})
				if a.status != http.StatusCreated {
					v.t.Errorf("grant: %d %s", a.status, a.body)
					return
				}
			}
		})
	}
	running.Wait()
}

// released is one subject's part of a disclosure.
type released struct {
	Attributes map[string]any
	Withheld   map[string]string
}

// analyse asks for attributes of everybody, as the client that holds analytics.profiling.
func (v *vault) analyse(refs []object, attributes ...string) (all []released) {
	v.t.Helper()
	analyst := v.token("analyst", privacy.RoleConsumer)
	for part := range slices.Chunk(refs, 1000) {
		var answer struct{ Disclosures []released }
		v.post("/v1/disclosures", analyst, object{"purpose": "analytics.profiling", "attributes": attributes, "subjects": part}, http.StatusOK).into(v.t, &answer)
		all = append(all, answer.Disclosures...)
	}
	return all
}

func number(value any) float64 {
	n, _ := value.(float64)
	return n
}

func sumUp(sums map[string]float64, value any) {
	amounts, _ := value.(map[string]any)
	for name, amount := range amounts {
		sums[name] += number(amount)
	}
}

// tally counts a customer, and a response, under a value.
func tally(counts map[string][]float64, value any, response float64) {
	name, _ := value.(string)
	if counts[name] == nil {
		counts[name] = []float64{0, 0}
	}
	counts[name][0]++
	counts[name][1] += response
}

// floats gives counts the shape they have in JSON.
func floats(counts map[string][]float64) map[string]any {
	shaped := make(map[string]any, len(counts))
	for name, pair := range counts {
		shaped[name] = []any{pair[0], pair[1]}
	}
	return shaped
}
