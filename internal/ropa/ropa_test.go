package ropa_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/ropa"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example is a record with something in every field, some of it hostile to spreadsheets and browsers.
func example() *ropa.Record {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	record := &ropa.Record{At: at, GeneratedAt: at, Revision: "0a1b", PublishedAt: at.AddDate(0, -1, 0), Security: ropa.SecurityMeasures(),
		Controller: ropa.RecordController{Name: "=HYPERLINK(\"http://evil.example\")", Contact: "Data protection officer", Address: "1 Example Street", Country: "DE", Email: "privacy@example.com", Phone: "+49 30 0", Policy: "https://example.com/privacy"},
		Activities: []ropa.Activity{
			{Purpose: "marketing.email", Titles: map[string]string{"en": "Marketing by email", "zh": "电子邮件营销"}, Descriptions: map[string]string{"en": "@SUM(1) <script>alert(1)</script>"}, DPV: "https://w3id.org/dpv#DirectMarketing", Category: "marketing",
				Bases: []ropa.LegalBasis{{Regime: "gdpr", Law: "Regulation (EU) 2016/679", Basis: "consent"}}, Subjects: []string{"customers and prospective customers"},
				Data: []ropa.DataItem{{Attribute: "city", Title: "City", Category: "basic", Classification: privacy.ClassPersonal, Mode: privacy.ModeGeneralise, Retention: "P3Y"},
					{Attribute: "religion", Title: "Religion", Category: "basic", Classification: privacy.ClassSensitive, Mode: privacy.ModePlain}},
				Recipients: []ropa.DataRecipient{{Name: "Mailer", Client: "crm-mailer", Kind: "processor", Country: "IE", Mechanism: "scc"}},
				Transfers:  []ropa.DataTransfer{{Country: "IE", Recipient: "Mailer", Safeguard: "scc"}}, Retention: "P2Y", Lifetime: "P1Y",
				Notice: &ropa.NoticeInForce{ID: "newsletter", Version: 3, SHA256: "ff00", ValidFrom: at}, Marketing: true, Profiling: true},
			{Purpose: "service.support", Titles: map[string]string{"en": "-Support"}, DPV: "https://w3id.org/dpv#CustomerCare", Category: "service", Bases: []ropa.LegalBasis{}, Subjects: []string{"customers and prospective customers"},
				Data: []ropa.DataItem{}, Recipients: []ropa.DataRecipient{{Name: "Service desk", Client: "service-desk", Kind: "own", Country: "local"}}, Transfers: []ropa.DataTransfer{}},
		}}
	for i := range record.Activities {
		record.Activities[i].Assess()
	}
	return record
}

func TestGolden(t *testing.T) {
	t.Parallel()
	record := example()
	var asCSV, asHTML bytes.Buffer
	asJSON, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := record.CSV(&asCSV); err != nil {
		t.Fatal(err)
	}
	if err := record.HTML(&asHTML); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"record.json": append(asJSON, '\n'), "record.csv": asCSV.Bytes(), "record.html": asHTML.Bytes()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what it was (%v); look at the difference, then run the test with -update", name, err)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := example().CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("a spreadsheet would compute %q", cell)
			}
		}
	}
}

func TestThePageLoadsAndRunsNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := example().HTML(&out); err != nil {
		t.Fatal(err)
	}
	page := strings.ToLower(out.String())
	for _, forbidden := range []string{"<script", "src=", "href=", "url(", "@import", "<link", "<iframe"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;") {
		t.Error("the text of a description is lost")
	}
}

func TestAssessment(t *testing.T) {
	t.Parallel()
	activities := example().Activities
	if got := activities[0].Assessment.String(); got != "required: sensitive, automated, third_party, cross_border" {
		t.Error(got)
	}
	if got := activities[1].Assessment; got.Required || len(got.Grounds) != 0 {
		t.Errorf("%+v", got)
	}
}
