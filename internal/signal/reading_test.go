package signal_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/testenv"
)

// defaultRules are those of the built-in policy.
func defaultRules(t *testing.T, change ...string) signal.Rules {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "policies", "data", "signals.json"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := signal.ParseRules([]byte(strings.NewReplacer(change...).Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// said gives a reading of a TC string in few words.
func said(t *testing.T, r signal.Reading) string {
	t.Helper()
	words := []string{}
	for _, flag := range r.Flags {
		words = append(words, string(flag))
	}
	for _, choice := range r.Choices {
		words = append(words, string(choice.Action)+" "+string(choice.Purpose))
	}
	if r.Unmet != "" {
		words = append(words, string(r.Unmet))
	}
	return strings.Join(words, ", ")
}

const (
	denied  = "deny ads.personalised, deny analytics.profiling"
	both    = "grant ads.personalised, grant analytics.profiling"
	allOfIt = `"purpose_one_not_needed_in": []`
)

func TestReadTCF(t *testing.T) {
	all := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	ours := []string{`"vendor": 0`, `"vendor": 600`}
	received := day.Add(30 * 24 * time.Hour)
	for name, c := range map[string]struct {
		change func(*testenv.TCString)
		rules  []string
		regime privacy.Regime
		want   string
	}{
		"all consented to":                            {func(s *testenv.TCString) { s.Consents = all }, nil, "gdpr", both},
		"under the UK's law":                          {func(s *testenv.TCString) { s.Consents = all }, nil, "uk_gdpr", both},
		"some consented to":                           {func(*testenv.TCString) {}, nil, "gdpr", "grant ads.personalised, deny analytics.profiling"},
		"none consented to":                           {func(s *testenv.TCString) { s.Consents = nil }, nil, "gdpr", denied},
		"legitimate interest is no consent":           {func(s *testenv.TCString) { s.Consents, s.Interests = nil, all }, nil, "gdpr", denied},
		"under another law":                           {func(*testenv.TCString) {}, nil, "ccpa", "other_regime"},
		"of global scope":                             {func(s *testenv.TCString) { s.ServiceSpecific = false }, nil, "gdpr", "not_service_specific"},
		"of global scope, admitted":                   {func(s *testenv.TCString) { s.ServiceSpecific, s.Consents = false, all }, []string{`"service_specific": true`, `"service_specific": false`}, "gdpr", both},
		"TCF 2.3 without disclosed vendors":           {func(s *testenv.TCString) { s.Disclosed = nil }, nil, "gdpr", "vendors_not_disclosed"},
		"TCF 2.2 without disclosed vendors":           {func(s *testenv.TCString) { s.Disclosed, s.Policy, s.Consents = nil, 4, all }, nil, "gdpr", both},
		"our vendor consented to":                     {func(s *testenv.TCString) { s.Consents = all }, ours, "gdpr", both},
		"our vendor not consented to":                 {func(s *testenv.TCString) { s.Consents, s.Vendors = all, []int{7} }, ours, "gdpr", denied},
		"our vendor not disclosed":                    {func(s *testenv.TCString) { s.Consents, s.Disclosed = all, []int{7} }, ours, "gdpr", "vendors_not_disclosed"},
		"purpose restricted for us":                   {func(s *testenv.TCString) { s.Consents, s.Restrictions = all, [][3]int{{3, 0, 600}} }, ours, "gdpr", "grant analytics.profiling"},
		"legitimate interest required of us":          {func(s *testenv.TCString) { s.Consents, s.Restrictions = all, [][3]int{{5, 2, 600}} }, ours, "gdpr", "grant ads.personalised"},
		"consent required of us":                      {func(s *testenv.TCString) { s.Consents, s.Restrictions = all, [][3]int{{3, 1, 600}} }, ours, "gdpr", both},
		"purpose restricted for others":               {func(s *testenv.TCString) { s.Consents, s.Restrictions = all, [][3]int{{3, 0, 7}} }, ours, "gdpr", both},
		"purpose one not disclosed":                   {func(s *testenv.TCString) { s.Consents, s.PurposeOne = all[1:], true }, nil, "gdpr", ""},
		"purpose one not disclosed, another refused":  {func(s *testenv.TCString) { s.Consents, s.PurposeOne = []int{3, 4}, true }, nil, "gdpr", "deny analytics.profiling"},
		"purpose one not disclosed, where not needed": {func(s *testenv.TCString) { s.Consents, s.PurposeOne = all[1:], true }, []string{allOfIt, `"purpose_one_not_needed_in": ["DE"]`}, "gdpr", both},
		"… in another country":                        {func(s *testenv.TCString) { s.Consents, s.PurposeOne, s.Country = all[1:], true, "FR" }, []string{allOfIt, `"purpose_one_not_needed_in": ["DE"]`}, "gdpr", ""},
		"a special feature not opted in to":           {func(s *testenv.TCString) { s.Consents = all }, []string{`[1, 3, 4], "special_features": []`, `[1, 3, 4], "special_features": [2]`}, "gdpr", "deny ads.personalised, grant analytics.profiling"},
		"a special feature opted in to":               {func(s *testenv.TCString) { s.Consents, s.Features = all, []int{2} }, []string{`[1, 3, 4], "special_features": []`, `[1, 3, 4], "special_features": [2]`}, "gdpr", both},
		"the publisher's segment":                     {func(s *testenv.TCString) { s.Consents, s.Publisher = nil, all }, []string{`"core"`, `"publisher"`}, "gdpr", both},
		"no publisher's segment":                      {func(s *testenv.TCString) { s.Consents = all }, []string{`"core"`, `"publisher"`}, "gdpr", "no_publisher_segment"},
		"run out":                                     {func(s *testenv.TCString) { s.Updated = received.AddDate(0, -13, 0) }, nil, "gdpr", "expired"},
		"about to run out":                            {func(s *testenv.TCString) { s.Consents, s.Updated = all, received.AddDate(0, -13, 1) }, nil, "gdpr", both},
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			c.change(&s)
			decoded, err := signal.DecodeTCF(s.Text())
			if err != nil {
				t.Fatal(err)
			}
			rules := defaultRules(t, c.rules...)
			reading := rules.ReadTCF(decoded, c.regime, received)
			if got := said(t, reading); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Dates of TC strings are cut down to the day: a consent counts from its beginning, a refusal until its end or until
// it came, whichever is earlier.
func TestReadTCFDates(t *testing.T) {
	rules := defaultRules(t)
	noon := day.Add(12 * time.Hour)
	for name, c := range map[string]struct {
		updated, received time.Time
		grant, deny       time.Time
	}{
		"the same day": {day, noon, day, noon},
		"later":        {day, day.Add(72 * time.Hour), day, day.Add(24*time.Hour - time.Microsecond)},
		"to the tenth": {noon, day.Add(72 * time.Hour), noon, noon},
	} {
		s := good()
		s.Updated = c.updated
		decoded, err := signal.DecodeTCF(s.Text())
		if err != nil {
			t.Fatal(err)
		}
		choices := rules.ReadTCF(decoded, "gdpr", c.received).Choices
		if len(choices) != 2 || !choices[0].At.Equal(c.grant) || !choices[0].Expires.Equal(c.updated.AddDate(0, 13, 0)) || !choices[1].At.Equal(c.deny) || !choices[1].Expires.IsZero() {
			t.Errorf("%s: %+v", name, choices)
		}
	}
}

func TestReadGPC(t *testing.T) {
	rules := defaultRules(t)
	// Global Privacy Control is no request to limit, and no withdrawal (11 CCR 7025).
	if got := said(t, rules.ReadGPC()); got != "opt_out_signal" {
		t.Errorf("%q", got)
	}
}

func TestReadGPP(t *testing.T) {
	rules := defaultRules(t)
	california := func(sale, sharing, sensitive, child int) string {
		values := append([]int{1, 1, 1, sale, sharing}, slices.Repeat([]int{sensitive}, 9)...)
		return testenv.USSection(1, append(values, child, 0, 0, 1, 0, 0)...)
	}
	national := func(targeted int) string {
		values := append([]int{1, 1, 1, 1, 1, 1, 2, 2, targeted}, slices.Repeat([]int{2}, 16)...)
		return testenv.USSection(2, append(values, 0, 0, 0, 0, 1, 0, 0)...)
	}
	full := good()
	full.Consents = []int{1, 3, 4, 5, 8, 9, 10}
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"nothing":                    {testenv.GPPString(nil), ""},
		"not opted out":              {testenv.GPPString([]int{8}, california(2, 2, 2, 0)), ""},
		"not applicable":             {testenv.GPPString([]int{8}, california(0, 0, 0, 0)), ""},
		"opted out of sale":          {testenv.GPPString([]int{8}, california(1, 2, 2, 0)), "opt_out_signal"},
		"opted out of sharing":       {testenv.GPPString([]int{8}, california(2, 1, 2, 0)), "opt_out_signal"},
		"sensitive data":             {testenv.GPPString([]int{8}, california(2, 2, 1, 0)), "limit_sensitive"},
		"sale and sensitive data":    {testenv.GPPString([]int{8}, california(1, 1, 1, 0)), "limit_sensitive, opt_out_signal"},
		"a child, no consent":        {testenv.GPPString([]int{8}, california(2, 2, 2, 1)), "opt_out_signal"},
		"GPC within":                 {testenv.GPPString([]int{8}, california(2, 2, 2, 0)+"."+(&testenv.SignalBits{}).Int(1, 2).Int(1, 1).Text()), "opt_out_signal"},
		"GPC within, off":            {testenv.GPPString([]int{8}, california(2, 2, 2, 0)+"."+(&testenv.SignalBits{}).Int(1, 2).Int(0, 1).Text()), ""},
		"targeted advertising":       {testenv.GPPString([]int{7}, national(1)), "opt_out_signal"},
		"targeted, not opted out":    {testenv.GPPString([]int{7}, national(2)), ""},
		"US Privacy, opted out":      {testenv.GPPString([]int{6}, "1YYN"), "opt_out_signal"},
		"US Privacy, not opted out":  {testenv.GPPString([]int{6}, "1YNN"), ""},
		"sections that are not read": {testenv.GPPString([]int{5, 24}, "BPSG", "AAAA"), ""},
		"the section of the EU":      {testenv.GPPString([]int{2, 6}, full.Text(), "1YYN"), "opt_out_signal, " + both},
	} {
		t.Run(name, func(t *testing.T) {
			decoded, err := signal.DecodeGPP(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := said(t, rules.ReadGPP(decoded, "gdpr", day)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestParseRulesRefuses(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "policies", "data", "signals.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[string]any){
		"a field that is unknown": func(d map[string]any) { d["gcp"] = []string{"opt_out_signal"} },
		"no effect of GPC":        func(d map[string]any) { d["gpc"] = []string{} },
		"a flag that is unknown":  func(d map[string]any) { d["gpc"] = []string{"opted_out"} },
		"a field that no section has": func(d map[string]any) {
			d["gpp"] = map[string]any{"SaleOptout": map[string]any{"1": []string{"opt_out_signal"}}}
		},
		"a value that no field has": func(d map[string]any) {
			d["gpp"] = map[string]any{"SaleOptOut": map[string]any{"3": []string{"opt_out_signal"}}}
		},
		"a value in another spelling": func(d map[string]any) {
			d["gpp"] = map[string]any{"SaleOptOut": map[string]any{"01": []string{"opt_out_signal"}}}
		},
		"a value that sets nothing": func(d map[string]any) { d["gpp"] = map[string]any{"SaleOptOut": map[string]any{"1": []string{}}} },
		"a segment that is unknown": func(d map[string]any) { d["tcf"].(map[string]any)["segment"] = "allowed" },
		"a vendor by publisher segment": func(d map[string]any) {
			maps.Copy(d["tcf"].(map[string]any), map[string]any{"segment": "publisher", "vendor": 9})
		},
		"a vendor beyond 16 bits": func(d map[string]any) { d["tcf"].(map[string]any)["vendor"] = 65536 },
		"a purpose for nothing": func(d map[string]any) {
			d["tcf"].(map[string]any)["purposes"] = map[string]any{"p": map[string]any{"consents": []int{}}}
		},
		"a TCF purpose 0": func(d map[string]any) {
			d["tcf"].(map[string]any)["purposes"] = map[string]any{"p": map[string]any{"consents": []int{0}}}
		},
		"a special feature 13": func(d map[string]any) {
			d["tcf"].(map[string]any)["purposes"] = map[string]any{"p": map[string]any{"consents": []int{1}, "special_features": []int{13}}}
		},
	} {
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		change(document)
		changed, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signal.ParseRules(changed); privacy.CodeOf(err) != "invalid_signals" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, broken := range []string{"", "{", string(text) + "{}", "[]"} {
		if _, err := signal.ParseRules([]byte(broken)); privacy.CodeOf(err) != "invalid_signals" {
			t.Errorf("%.10q: %v", broken, err)
		}
	}
}
