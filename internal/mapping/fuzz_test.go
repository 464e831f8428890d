package mapping_test

import (
	"os"
	"testing"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// FuzzParse: no file and no cell makes the mapping panic or answer with an unknown error.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"testdata/marketing_campaign.yaml", "testdata/bank.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "5524")
	}
	f.Add(table("attributes: {birth_date: {column: a, format: YYYY年M月D日}}"), "2012年9月4日")
	c, err := catalogue.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, cell string) {
		m, err := mapping.ParseFor(c, []byte(text))
		if err != nil {
			if privacy.CodeOf(err) != "invalid_mapping" {
				t.Fatalf("error %v", err)
			}
			return
		}
		_ = m.Columns()
		_, err = m.Row(func(string) (string, bool) { return cell, true })
		if err != nil && privacy.CodeOf(err) != "invalid_row" {
			t.Fatalf("error %v", err)
		}
	})
}
