package policy

import (
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

func deadlinesOf(t *testing.T) Deadlines {
	t.Helper()
	engine, revision := NewEngine(), defaultRevision(t)
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	deadlines, ok := engine.Deadlines(revision.ID)
	if !ok {
		t.Fatal("the built-in policy has no deadlines")
	}
	return deadlines
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The due dates that the tables of the law give, with no holidays between.
func TestDeadlinesGiveTheDatesOfTheLaw(t *testing.T) {
	deadlines := deadlinesOf(t)
	const start = "2026-03-02"
	for _, c := range []struct {
		regime     privacy.Regime
		right      string
		what, from string
		want       string
		legal      string // rolled, "" when the same
	}{
		{"gdpr", "access", "answer", "2026-01-31", "2026-02-28", "2026-03-02"},
		{"gdpr", "erasure", "extended", "2026-01-31", "2026-04-30", ""},
		{"gdpr", "access", "tell", "2026-01-31", "2026-02-28", "2026-03-02"},
		{"uk_gdpr", "access", "answer", "2026-04-10", "2026-05-10", "2026-05-11"}, // complete on that day
		{"uk_gdpr", "complaint", "acknowledge", start, "2026-04-01", ""},
		{"ccpa", "erasure", "acknowledge", start, "2026-03-16", ""},
		{"ccpa", "objection", "answer", start, "2026-03-23", ""},
		{"ccpa", "restriction", "answer", start, "2026-03-23", ""},
		{"ccpa", "access", "answer", start, "2026-04-16", ""},
		{"ccpa", "access", "extended", start, "2026-05-31", ""},
		{"lgpd", "access", "answer", start, "2026-03-17", ""},
		{"lgpd", "erasure", "answer", start, start, ""},
		{"pipa", "access", "answer", start, "2026-03-12", ""},
		{"pdpa", "access", "answer", start, "2026-04-01", ""},
		{"quebec25", "access", "answer", start, "2026-04-01", ""},
		{"pipl", "access", "answer", start, "2026-03-23", ""},
		{"narnia", "access", "answer", start, "2026-03-12", ""},
	} {
		terms := deadlines.Terms(c.regime, c.right)
		span := map[string]*privacy.Span{"answer": terms.Answer, "acknowledge": terms.Acknowledge}[c.what]
		if terms.Extension != nil && c.what == "extended" {
			span = terms.Extension.Total
		}
		if terms.Extension != nil && c.what == "tell" {
			span = &terms.Extension.TellWithin
		}
		if span == nil {
			t.Errorf("%s: no term to %s for %s", c.regime, c.what, c.right)
			continue
		}
		due := span.From(day(t, c.from), privacy.Weekdays)
		if got := due.Format(time.DateOnly); got != c.want {
			t.Errorf("%s: %s of %s by %s, want %s", c.regime, c.what, c.right, got, c.want)
		}
		legal := c.legal
		if legal == "" {
			legal = c.want
		}
		if terms.Rolls {
			due = privacy.Rolled(due, privacy.Weekdays)
		}
		if got := due.Format(time.DateOnly); got != legal {
			t.Errorf("%s: %s of %s legally by %s, want %s", c.regime, c.what, c.right, got, legal)
		}
	}
}

func TestDeadlinesOfRightsDiffer(t *testing.T) {
	deadlines := deadlinesOf(t)
	if optOut := deadlines.Terms("ccpa", "objection"); optOut.Extension != nil || optOut.Starts != "receipt" {
		t.Errorf("an opt-out is neither extended nor verified: %+v", optOut)
	}
	if know := deadlines.Terms("ccpa", "access"); know.Extension == nil {
		t.Error("a request to know may be extended")
	}
	for _, regime := range privacy.Regimes() {
		if terms, ok := deadlines[regime]; !ok || terms.Law == "" {
			t.Errorf("%s has no terms of its own", regime)
		}
	}
	for regime, terms := range deadlines {
		if strictest := deadlines[privacy.RegimeDefault].Answer; terms.Answer.Count > 0 && terms.Answer.From(day(t, "2026-03-02"), privacy.Weekdays).Before(strictest.From(day(t, "2026-03-02"), privacy.Weekdays)) {
			t.Errorf("%s is stricter than the default", regime)
		}
	}
}

func TestDeadlinesAreCheckedAtLoad(t *testing.T) {
	for name, change := range map[string]func(requests map[string]any){
		"no default": func(requests map[string]any) { delete(requests, "default") },
		"no answer":  func(requests map[string]any) { delete(requests["gdpr"].(map[string]any), "answer") },
		"a misprint": func(requests map[string]any) { requests["gdpr"].(map[string]any)["anwser"] = 1 },
	} {
		revision := defaultRevision(t)
		data := tablesOf(t, revision)
		change(data["deadlines"].(map[string]any)["requests"].(map[string]any))
		changed, err := NewRevision(revision.Modules, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := NewEngine().Load(t.Context(), changed); privacy.CodeOf(err) != "invalid_policy" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
