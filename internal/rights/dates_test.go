package rights

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// Month ends, leap days, holidays and time zones, by the terms of the built-in policy.
func TestDatesOfRequests(t *testing.T) {
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	revision, err := policy.Default(words.PolicyData())
	if err != nil {
		t.Fatal(err)
	}
	engine := policy.NewEngine()
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	deadlines, _ := engine.Deadlines(revision.ID)
	calendars, err := loadCalendars()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		regime        privacy.Regime
		country       string
		right         privacy.RequestType
		began         string
		due, legal    string // days in the place's time
		ack, extended string // "" for none
	}{
		{"a month with fewer days, ending on a Saturday", "gdpr", "DE", "access", "2026-01-31T10:00:00Z", "2026-02-28", "2026-03-02", "", "2026-04-30"},
		{"a leap day", "gdpr", "DE", "erasure", "2028-01-31T10:00:00Z", "2028-02-29", "2028-02-29", "", "2028-04-30"},
		{"no leap day", "gdpr", "DE", "erasure", "2027-01-29T10:00:00Z", "2027-02-28", "2027-03-01", "", "2027-04-29"},
		{"before midnight in Greenwich it is the next day in Berlin", "gdpr", "DE", "access", "2026-01-30T23:30:00Z", "2026-02-28", "2026-03-02", "", "2026-04-30"},
		{"the end of a year", "gdpr", "FR", "access", "2026-12-31T10:00:00Z", "2027-01-31", "2027-02-01", "", "2027-03-31"},
		{"Christmas, and the weekend after", "gdpr", "DE", "access", "2026-11-25T10:00:00Z", "2026-12-25", "2026-12-28", "", "2027-02-25"},
		{"Good Friday and Easter Monday", "gdpr", "DE", "access", "2026-03-03T10:00:00Z", "2026-04-03", "2026-04-07", "", "2026-06-03"},
		{"summer time begins", "gdpr", "DE", "access", "2026-03-01T10:00:00Z", "2026-04-01", "2026-04-01", "", "2026-06-01"},
		{"received on a leap day", "gdpr", "DE", "access", "2028-02-29T10:00:00Z", "2028-03-29", "2028-03-29", "", "2028-05-29"},
		{"Bastille Day in France", "gdpr", "FR", "access", "2026-06-14T10:00:00Z", "2026-07-14", "2026-07-15", "", "2026-09-14"},
		{"where nobody knows the holidays, the earlier day counts", "gdpr", "", "access", "2026-11-25T10:00:00Z", "2026-12-25", "2026-12-25", "", "2027-02-25"},
		{"a month with fewer days in Britain", "uk_gdpr", "GB", "access", "2026-08-31T10:00:00Z", "2026-09-30", "2026-09-30", "", "2026-11-30"},
		{"extended to a leap day in Britain", "uk_gdpr", "GB", "erasure", "2027-11-29T10:00:00Z", "2027-12-29", "2027-12-29", "", "2028-02-29"},
		{"in summer it is the next day in London an hour before Greenwich", "uk_gdpr", "GB", "access", "2026-06-30T23:30:00Z", "2026-08-01", "2026-08-03", "", "2026-10-01"},
		{"a Sunday in Britain", "uk_gdpr", "GB", "access", "2026-04-10T10:00:00Z", "2026-05-10", "2026-05-11", "", "2026-07-10"},
		{"the bank holiday of Boxing Day moves", "uk_gdpr", "GB", "access", "2026-11-26T10:00:00Z", "2026-12-26", "2026-12-29", "", "2027-02-26"},
		{"fifteen working days in China", "pipl", "CN", "access", "2026-03-02T02:00:00Z", "2026-03-23", "2026-03-23", "", ""},
		{"over the Spring Festival, with a Saturday that is worked", "pipl", "CN", "erasure", "2026-02-10T02:00:00Z", "2026-03-09", "2026-03-09", "", ""},
		{"over the National Day, with a Saturday that is worked", "pipl", "CN", "erasure", "2026-09-28T02:00:00Z", "2026-10-23", "2026-10-23", "", ""},
		{"the evening in Greenwich is the next day in China", "pipl", "CN", "access", "2026-03-01T20:00:00Z", "2026-03-23", "2026-03-23", "", ""},
		{"New Year's night in China, with a Sunday that is worked", "pipl", "CN", "access", "2025-12-31T20:00:00Z", "2026-01-22", "2026-01-22", "", ""},
		{"over a leap day in China", "pipl", "CN", "erasure", "2028-02-21T02:00:00Z", "2028-03-13", "2028-03-13", "", ""},
		{"over a leap day in California, from before a holiday", "ccpa", "US", "erasure", "2028-01-16T20:00:00Z", "2028-03-01", "2028-03-01", "2028-01-31", "2028-04-15"},
		{"winter time begins in California", "ccpa", "US", "access", "2026-09-30T20:00:00Z", "2026-11-14", "2026-11-14", "2026-10-15", "2026-12-29"},
		{"over Thanksgiving", "ccpa", "US", "objection", "2026-11-20T20:00:00Z", "2026-12-14", "2026-12-14", "", ""},
		{"days and business days in California", "ccpa", "US", "erasure", "2026-03-02T20:00:00Z", "2026-04-16", "2026-04-16", "2026-03-16", "2026-05-31"},
		{"an opt-out has fifteen business days", "ccpa", "US", "objection", "2026-03-02T20:00:00Z", "2026-03-23", "2026-03-23", "", ""},
		{"Independence Day is kept on the Friday", "ccpa", "US", "objection", "2026-06-22T20:00:00Z", "2026-07-14", "2026-07-14", "", ""},
		{"the morning in Greenwich is the day before in California", "ccpa", "US", "access", "2026-03-03T05:00:00Z", "2026-04-16", "2026-04-16", "2026-03-16", "2026-05-31"},
		{"Brazil", "lgpd", "BR", "access", "2026-03-02T15:00:00Z", "2026-03-17", "2026-03-17", "2026-03-02", ""},
		{"Brazil wants everything else at once", "lgpd", "BR", "erasure", "2026-03-02T15:00:00Z", "2026-03-02", "2026-03-02", "", ""},
		{"Singapore", "pdpa", "SG", "access", "2026-03-02T02:00:00Z", "2026-04-01", "2026-04-01", "", "2026-05-01"},
		{"Japan", "appi", "JP", "access", "2026-03-02T02:00:00Z", "2026-03-16", "2026-03-16", "", ""},
		{"Korea", "pipa", "KR", "access", "2026-03-02T02:00:00Z", "2026-03-12", "2026-03-12", "", "2026-03-22"},
		{"Québec", "quebec25", "CA", "access", "2026-03-02T15:00:00Z", "2026-04-01", "2026-04-01", "", ""},
		{"a law that is not known, over a leap day", "default", "", "access", "2028-02-20T10:00:00Z", "2028-03-01", "2028-03-01", "", ""},
		{"a law that is not known, over the end of a year", "default", "", "erasure", "2026-12-25T23:59:00Z", "2027-01-04", "2027-01-04", "", ""},
		{"a law that is not known", "default", "", "access", "2026-03-02T10:00:00Z", "2026-03-12", "2026-03-12", "", ""},
	} {
		began, err := time.Parse(time.RFC3339, c.began)
		if err != nil {
			t.Fatal(err)
		}
		law := custody.Law{Regime: c.regime, Country: c.country, Terms: deadlines.Terms(c.regime, string(c.right))}
		zone := calendars.of(c.regime, c.country).zone
		d := datesUnder(law, began, calendars)
		if due := d.DueAt.In(zone).Format(time.DateOnly); due != c.due {
			t.Errorf("%s: due %s, want %s", c.name, due, c.due)
		}
		if legal := d.LegalDueOn.Format(time.DateOnly); legal != c.legal {
			t.Errorf("%s: legally due %s, want %s", c.name, legal, c.legal)
		}
		if ack := dayIn(d.AcknowledgeBy, zone); ack != c.ack {
			t.Errorf("%s: acknowledge by %s, want %s", c.name, ack, c.ack)
		}
		later := ""
		if e, _, ok := extended(law, began, calendars); ok {
			later = dayIn(e.DueAt, zone)
		}
		if later != c.extended {
			t.Errorf("%s: extended to %s, want %s", c.name, later, c.extended)
		}
	}
}

func dayIn(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format(time.DateOnly)
}

// Every law has grounds, and every name stands once in each.
func TestGroundsAreNamedOnce(t *testing.T) {
	for _, regime := range privacy.Regimes() {
		seen := make(map[string]bool)
		for _, g := range Grounds(regime) {
			if seen[g.Name] || g.Law == "" || len(g.Types) == 0 {
				t.Errorf("%s: %+v", regime, g)
			}
			seen[g.Name] = true
		}
		if len(seen) == 0 {
			t.Errorf("%s has no grounds", regime)
		}
	}
}
