package policy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// Every case that the tables of the law number is tried, except those that are about no decision on a disclosure: X8 is of
// aggregates, X10 of somebody who died.
func TestLawCasesCoverTheTables(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	number, tried := regexp.MustCompile(`^X?\d+`), map[string]bool{}
	for _, file := range files {
		if filepath.Base(file) == "overlay.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := ParseCases(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			tried[number.FindString(c.Name)] = true
		}
	}
	var wanted []string
	for n := 1; n <= 40; n++ {
		wanted = append(wanted, fmt.Sprint(n))
	}
	for n := 1; n <= 14; n++ {
		if n != 8 && n != 10 {
			wanted = append(wanted, fmt.Sprint("X", n))
		}
	}
	for _, name := range wanted {
		if !tried[name] {
			t.Errorf("case %s is not tried", name)
		}
	}
}

// outcomeFor gives the reason that a decision withholds email for, "" when it permits.
func outcomeFor(t *testing.T, engine *Engine, revision Revision, purpose privacy.PurposeName, subject privacy.SubjectState) privacy.Reason {
	t.Helper()
	decision, err := engine.Decide(t.Context(), revision.ID, privacy.DecisionInput{Caller: privacy.InputCaller{Client: "own", Roles: []privacy.Role{privacy.RoleConsumer}},
		Purpose: purpose, Attributes: []privacy.AttributeName{"email"}, Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	return decision.Outcome.Withheld["email"]
}

// From which age a child consents alone, by country of habitual residence (GDPR Art. 8(1) and the laws of the member states; PIPL 31, PIPA 22-2,
// Québec 4.1): a year younger, a guardian has to.
func TestConsentAges(t *testing.T) {
	engine, revision := setup(t)
	bands := []privacy.AgeBand{privacy.AgeChild, privacy.Age13, privacy.Age14, privacy.Age15, privacy.Age16To17, privacy.AgeAdult}
	from := map[int]privacy.AgeBand{13: privacy.Age13, 14: privacy.Age14, 15: privacy.Age15, 16: privacy.Age16To17}
	ages := map[int][]string{
		13: {"BE", "FI", "SE", "EE", "LV", "MT", "PT", "IS", "NO"},
		14: {"AT", "IT", "ES", "BG", "CY", "LT"},
		15: {"CZ", "FR", "GR", "SI", "DK"},
		16: {"DE", "HU", "IE", "NL", "SK", "PL", "HR", "LU", "RO", "LI"},
	}
	type place struct {
		regime  privacy.Regime
		country string
		age     int
	}
	places := []place{{"uk_gdpr", "GB", 13}, {"pipl", "CN", 14}, {"pipa", "KR", 14}, {"quebec25", "CA", 14}, {"pdpa", "SG", 13}, {"gdpr", "", 16}, {"default", "", 16}}
	for age, countries := range ages {
		for _, country := range countries {
			places = append(places, place{engine.Regime(revision.ID, country, "", ""), country, age})
			if regime := places[len(places)-1].regime; regime != privacy.RegimeGDPR {
				t.Errorf("%s is under %s", country, regime)
			}
		}
	}
	if len(places) != 30+7 {
		t.Errorf("%d places, want the 30 of the EEA and 7 more", len(places))
	}
	for _, p := range places {
		for i, band := range bands {
			reason := outcomeFor(t, engine, revision, "service.optional", privacy.SubjectState{Regime: p.regime, Country: p.country, AgeBand: band,
				Consent: privacy.ConsentState{Status: privacy.ConsentGranted, By: privacy.BySelf}})
			needed := i < slices.Index(bands, from[p.age])
			if (reason == privacy.ReasonGuardianConsentRequired) != needed {
				t.Errorf("%s %s, age %s: %q", p.regime, p.country, band, reason)
			}
		}
	}
}

// Which channels of marketing need an opt-in even where the basis does not (ePrivacy 13, PECR 22, Advertising Law of China 43, TCPA).
func TestElectronicOptInByChannel(t *testing.T) {
	channels := []string{"email", "sms", "wechat", "app", "phone", "post"}
	optIn := map[privacy.Regime][]string{
		"gdpr": {"email", "sms", "wechat"}, "uk_gdpr": {"email", "sms", "wechat"}, "pipl": {"email", "sms", "wechat", "app"}, "ccpa": {"sms"},
		"lgpd": {"email", "sms"}, "appi": {"email", "sms"}, "pdpa": {"email", "sms"}, "pipa": {"email", "sms"}, "quebec25": {"email", "sms"}, "default": {"email", "sms", "wechat", "app"},
	}
	base := overlaid(t)
	data := tablesOf(t, base)
	purposes := data["purposes"].(map[string]any)
	for _, channel := range channels {
		row := map[string]any{}
		for field, value := range purposes["order.fulfilment"].(map[string]any) {
			row[field] = value
		}
		row["marketing"], row["channel"] = true, channel // on contract, which every law knows
		purposes["marketing."+channel] = row
		data["matrix"].(map[string]any)["email"].(map[string]any)["marketing."+channel] = "plain"
	}
	revision, err := NewRevision(base.Modules, data)
	if err != nil {
		t.Fatal(err)
	}
	engine := NewEngine()
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	for _, regime := range privacy.Regimes() {
		for _, channel := range channels {
			reason := outcomeFor(t, engine, revision, privacy.PurposeName("marketing."+channel), privacy.SubjectState{Regime: regime, AgeBand: privacy.AgeAdult,
				Consent: privacy.ConsentState{Status: privacy.ConsentNone, By: privacy.BySelf}})
			want := privacy.Reason("")
			if slices.Contains(optIn[regime], channel) {
				want = privacy.ReasonConsentMissing
			}
			if reason != want {
				t.Errorf("%s by %s: %q, want %q", regime, channel, reason, want)
			}
		}
	}
}

// The regime follows from country and region; whoever is under no law known here is under the strictest.
func TestRegimeOfPlaces(t *testing.T) {
	engine, revision := setup(t)
	for place, want := range map[[2]string]privacy.Regime{
		{"DE", ""}: "gdpr", {"NO", ""}: "gdpr", {"IS", ""}: "gdpr", {"LI", ""}: "gdpr", {"GB", ""}: "uk_gdpr", {"CN", "广东"}: "pipl", {"BR", ""}: "lgpd", {"JP", ""}: "appi", {"SG", ""}: "pdpa", {"KR", ""}: "pipa",
		{"US", "CA"}: "ccpa", {"US", "US-CA"}: "ccpa", {"US", "california"}: "ccpa", {"CA", "QC"}: "quebec25", {"CA", "Québec"}: "quebec25",
		// Other states' laws have no row of their own: their people are protected by the strictest, which knows the opt-out of sale and the limit.
		{"US", "CO"}: "default", {"US", "VA"}: "default", {"US", "TX"}: "default", {"US", ""}: "default", {"CA", "ON"}: "default", {"CA", ""}: "default",
		{"HK", ""}: "default", {"MO", ""}: "default", {"TW", ""}: "default", {"CH", ""}: "default", {"", ""}: "default", {"DE", "CA"}: "gdpr",
	} {
		if got := engine.Regime(revision.ID, place[0], place[1], ""); got != want {
			t.Errorf("%s %s: %s, want %s", place[0], place[1], got, want)
		}
	}
	for _, state := range []string{"CO", "CT", "TX"} {
		regime := engine.Regime(revision.ID, "US", state, "")
		subject := privacy.SubjectState{Regime: regime, Country: "US", AgeBand: privacy.AgeAdult, OptOutSignal: true,
			Consent: privacy.ConsentState{Status: privacy.ConsentGranted, Explicit: true, By: privacy.BySelf, SeparateFor: []privacy.ConsentScope{privacy.ScopeThirdParty}}}
		if reason := outcomeFor(t, engine, revision, "ads.cross_context", subject); reason != privacy.ReasonOptedOutOfSale {
			t.Errorf("%s: a signal for cross-context advertising: %q", state, reason)
		}
	}
}
