package policy

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// consenting is an adult in Germany whose consent to marketing by email stands.
func consenting(attributes ...privacy.AttributeName) privacy.DecisionInput {
	return privacy.DecisionInput{
		Caller:  privacy.InputCaller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleConsumer}},
		Purpose: "marketing.email", Attributes: attributes,
		Subject: privacy.SubjectState{
			Regime: privacy.RegimeGDPR, Country: "DE", AgeBand: privacy.AgeAdult,
			Consent: privacy.ConsentState{Status: privacy.ConsentGranted, NoticeVersion: 1, By: privacy.BySelf},
		},
	}
}

// answering gives a revision whose decision is the given body, to see what the engine makes of it.
func answering(t *testing.T, decision string) Revision {
	t.Helper()
	revision, err := NewRevision(map[string]string{
		"disclosure.rego": "package consentry.disclosure\n\n" + decision,
		"authz.rego":      "package consentry.authz\n\nallow := \"yes\"",
		"grants.rego":     "package consentry.grants\n\ntable := {}",
	}, map[string]any{"purposes": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestLaw2MalformedOutcomesWithholdEverything(t *testing.T) {
	for name, decision := range map[string]string{
		"undefined":            `decision := 1 if input.purpose == "other"`,
		"not an object":        `decision := "permit"`,
		"null":                 `decision := null`,
		"a map missing":        `decision := {"permitted": {"city": "plain", "email": "plain"}}`,
		"a map too many":       `decision := {"permitted": {"city": "plain", "email": "plain"}, "withheld": {}, "more": {}}`,
		"in neither map":       `decision := {"permitted": {"email": "plain"}, "withheld": {}}`,
		"in both maps":         `decision := {"permitted": {"email": "plain", "city": "plain"}, "withheld": {"city": "objected"}}`,
		"nobody asked":         `decision := {"permitted": {"email": "plain", "city": "plain", "income": "plain"}, "withheld": {}}`,
		"another in its place": `decision := {"permitted": {"email": "plain", "income": "plain"}, "withheld": {}}`,
		"unknown mode":         `decision := {"permitted": {"email": "plain", "city": "openly"}, "withheld": {}}`,
		"aggregate permitted":  `decision := {"permitted": {"email": "plain", "city": "aggregate"}, "withheld": {}}`,
		"deny permitted":       `decision := {"permitted": {"email": "plain", "city": "deny"}, "withheld": {}}`,
		"mode not text":        `decision := {"permitted": {"email": "plain", "city": true}, "withheld": {}}`,
		"unknown reason":       `decision := {"permitted": {"email": "plain"}, "withheld": {"city": "monday"}}`,
		"maps are lists":       `decision := {"permitted": ["email"], "withheld": ["city"]}`,
		"maps are sets":        `decision := {"permitted": {"email", "city"}, "withheld": {}}`,
		"conflict":             "decision := {\"permitted\": {\"email\": \"plain\", \"city\": \"plain\"}, \"withheld\": {}}\n\ndecision := 2 if input.purpose",
		"failing built-in":     `decision := {"permitted": {"email": "plain", "city": "plain"}, "withheld": {}} if to_number(input.purpose)`,
	} {
		t.Run(name, func(t *testing.T) {
			revision := answering(t, decision)
			engine := NewEngine()
			if err := engine.Load(t.Context(), revision); err != nil {
				t.Fatal(err)
			}
			got, err := engine.Decide(t.Context(), revision.ID, consenting("city", "email"))
			if err != nil {
				t.Fatal(err)
			}
			want := map[privacy.AttributeName]privacy.Reason{"city": "policy_error", "email": "policy_error"}
			if len(got.Outcome.Permitted) != 0 || !maps.Equal(got.Outcome.Withheld, want) {
				t.Errorf("got %v", got.Outcome)
			}
			if allowed, err := engine.Authorise(t.Context(), revision.ID, AuthzInput{}); allowed || err != nil {
				t.Errorf("an allow that is no boolean gives %v, %v", allowed, err)
			}
		})
	}
}

func TestLaw2NoRevisionNoDecision(t *testing.T) {
	engine := NewEngine()
	if _, err := engine.Decide(t.Context(), "none", consenting("email")); privacy.CodeOf(err) != "policy_unavailable" {
		t.Errorf("Decide: %v", err)
	}
	if allowed, err := engine.Authorise(t.Context(), "none", AuthzInput{}); allowed || privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("Authorise: %v, %v", allowed, err)
	}
	if _, _, err := engine.Explain(t.Context(), "none", consenting("email")); privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("Explain: %v", err)
	}
	if engine.Granted("none", "crm-mailer", "marketing.email") || engine.PurposeKnown("none", "marketing.email") {
		t.Error("a revision that is not loaded grants something")
	}
	if got := engine.Regime("none", "DE", "", ""); got != privacy.RegimeDefault {
		t.Errorf("Regime: %s", got)
	}
}

func TestLaw2CancelledIsNoDecision(t *testing.T) {
	engine, revision := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Decide(ctx, revision.ID, consenting("email")); privacy.CodeOf(err) != "policy_unavailable" {
		t.Errorf("Decide: %v", err)
	}
	got, err := engine.Decide(t.Context(), revision.ID, consenting("email"))
	if err != nil || got.Outcome.Permitted["email"] != privacy.ModePlain {
		t.Errorf("the failure was remembered: %v, %v", got.Outcome, err)
	}
}

func TestEndlessPolicyIsStopped(t *testing.T) {
	revision := answering(t, `decision := count([1 | numbers.range(1, 100000)[_] > 0; numbers.range(1, 100000)[_] > 0])`)
	engine := NewEngine()
	if err := engine.Load(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := engine.Decide(ctx, revision.ID, consenting("email")); privacy.CodeOf(err) != "policy_unavailable" {
		t.Errorf("got %v", err)
	}
}

func TestDecisionsAreRemembered(t *testing.T) {
	engine, revision := setup(t)
	first, err := engine.Decide(t.Context(), revision.ID, consenting("email", "city"))
	if err != nil {
		t.Fatal(err)
	}
	if !first.Evaluated || len(first.Input) == 0 {
		t.Errorf("first: %+v", first)
	}
	first.Outcome.Permitted["income"] = privacy.ModePlain // what a caller does with it stays with them

	again, err := engine.Decide(t.Context(), revision.ID, consenting("city", "email", "city"))
	if err != nil {
		t.Fatal(err)
	}
	if again.Evaluated || !bytes.Equal(again.Input, first.Input) || len(again.Outcome.Permitted) != 2 {
		t.Errorf("again: %+v", again)
	}
	if n := engine.Evaluations(); n != 1 {
		t.Errorf("%d evaluations", n)
	}
}

// A thousand subjects in a few states cost as many evaluations as there are states.
func TestBatchesShareEvaluations(t *testing.T) {
	engine, revision := setup(t)
	statuses := []privacy.ConsentStatus{privacy.ConsentGranted, privacy.ConsentNone, privacy.ConsentWithdrawn, privacy.ConsentDenied}
	countries := []string{"DE", "FR", "SE", "AT", "IT", "ES", "NL", "PL", "IE", "DK"}
	for i := range 1000 {
		input := consenting("email", "city", "income")
		input.Subject.Country = countries[i%len(countries)]
		input.Subject.Consent.Status = statuses[i%len(statuses)]
		if _, err := engine.Decide(t.Context(), revision.ID, input); err != nil {
			t.Fatal(err)
		}
	}
	if n := engine.Evaluations(); n > 50 {
		t.Errorf("%d evaluations for 1,000 subjects, want at most 50", n)
	}
}

func TestMemoIsBoundedAndRevisionsMakeRoom(t *testing.T) {
	engine := NewEngine(WithRevisions(2), WithMemo(10))
	revisions := make([]Revision, 3)
	for i := range revisions {
		revisions[i] = answering(t, strings.Repeat("\n", i)+`decision := {"permitted": {"email": "plain"}, "withheld": {}}`)
		if err := engine.Load(t.Context(), revisions[i]); err != nil {
			t.Fatal(err)
		}
		if !engine.Loaded(revisions[0].ID) && i < 2 {
			t.Fatal("not loaded")
		}
	}
	// The first was asked for last before the third came, so the second made room.
	if !engine.Loaded(revisions[0].ID) || engine.Loaded(revisions[1].ID) || !engine.Loaded(revisions[2].ID) {
		t.Error("the wrong revision made room")
	}
	for i := range 500 {
		input := consenting("email")
		input.Subject.Consent.NoticeVersion = i
		if _, err := engine.Decide(t.Context(), revisions[0].ID, input); err != nil {
			t.Fatal(err)
		}
	}
	engine.decisions.CleanUp()
	if n := engine.decisions.EstimatedSize(); n > 10 {
		t.Errorf("%d decisions remembered", n)
	}
}

func TestRevisionsDoNotShareDecisions(t *testing.T) {
	engine := NewEngine()
	open := answering(t, `decision := {"permitted": {"email": "plain"}, "withheld": {}}`)
	shut := answering(t, `decision := {"permitted": {}, "withheld": {"email": "objected"}}`)
	for _, revision := range []Revision{open, shut} {
		if err := engine.Load(t.Context(), revision); err != nil {
			t.Fatal(err)
		}
	}
	one, err1 := engine.Decide(t.Context(), open.ID, consenting("email"))
	two, err2 := engine.Decide(t.Context(), shut.ID, consenting("email"))
	if err1 != nil || err2 != nil || len(one.Outcome.Permitted) != 1 || len(two.Outcome.Permitted) != 0 {
		t.Errorf("%v %v, %v %v", one.Outcome, err1, two.Outcome, err2)
	}
}

func TestConcurrentUse(t *testing.T) {
	engine, revision := setup(t)
	other := answering(t, `decision := {"permitted": {"email": "plain"}, "withheld": {}}`)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				input := consenting("email", "city")
				input.Subject.Consent.NoticeVersion = (i + j) % 5
				if got, err := engine.Decide(t.Context(), revision.ID, input); err != nil || len(got.Outcome.Permitted) != 2 {
					t.Errorf("got %v, %v", got.Outcome, err)
				}
				if err := engine.Load(t.Context(), other); err != nil {
					t.Error(err)
				}
				if _, err := engine.Authorise(t.Context(), revision.ID, AuthzInput{Operation: "audit-checkpoint"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestExplain(t *testing.T) {
	engine, revision := setup(t)
	input := consenting("email", "religion")
	outcome, trace, err := engine.Explain(t.Context(), revision.ID, input)
	if err != nil {
		t.Fatal(err)
	}
	decided, err := engine.Decide(t.Context(), revision.ID, input)
	if err != nil || !maps.Equal(outcome.Permitted, decided.Outcome.Permitted) || !maps.Equal(outcome.Withheld, decided.Outcome.Withheld) {
		t.Errorf("explained %v, decided %v, %v", outcome, decided.Outcome, err)
	}
	text := strings.Join(trace, "\n")
	for _, want := range []string{
		`consentry.facts.basis := "consent" (facts.rego:`,
		`consentry.sensitive.denials_of["sensitive_needs_explicit_consent"] := {"religion"} (sensitive.rego:`,
		`consentry.disclosure.permitted := {"email": "plain"} (disclosure.rego:`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the trace lacks %s:\n%s", want, text)
		}
	}
	if len(trace) > traceLines+1 {
		t.Errorf("%d lines", len(trace))
	}
}

func TestTablesAnswer(t *testing.T) {
	engine, revision := setup(t)
	for _, c := range []struct {
		country, region string
		override, want  privacy.Regime
	}{
		{"DE", "", "", "gdpr"}, {"IS", "", "", "gdpr"}, {"GB", "", "", "uk_gdpr"}, {"CN", "Zhejiang", "", "pipl"}, {"BR", "", "", "lgpd"},
		{"JP", "", "", "appi"}, {"SG", "", "", "pdpa"}, {"KR", "", "", "pipa"}, {"US", "CA", "", "ccpa"}, {"US", "US-CA", "", "ccpa"},
		{"US", "california", "", "ccpa"}, {"CA", "QC", "", "quebec25"}, {"CA", "québec", "", "quebec25"},
		{"US", "NY", "", "default"}, {"CA", "ON", "", "default"}, {"DE", "CA", "", "gdpr"}, {"", "", "", "default"}, {"ZZ", "", "", "default"},
		// What is stated counts where it says no less than where somebody lives.
		{"", "", "pipl", "pipl"}, {"", "", "martian", "default"}, {"DE", "", "gdpr", "gdpr"}, {"DE", "", "default", "default"}, {"US", "", "ccpa", "ccpa"},
		{"DE", "", "ccpa", "gdpr"}, {"DE", "", "pipl", "gdpr"}, {"DE", "", "martian", "gdpr"}, {"US", "", "gdpr", "default"}, {"US", "NY", "ccpa", "default"},
		{"US", "CA", "gdpr", "ccpa"}, {"ZZ", "", "ccpa", "default"},
	} {
		if got := engine.Regime(revision.ID, c.country, c.region, c.override); got != c.want {
			t.Errorf("%q %q %q: %s, want %s", c.country, c.region, c.override, got, c.want)
		}
	}
	if !engine.Granted(revision.ID, "crm-mailer", "marketing.sms") || engine.Granted(revision.ID, "crm-mailer", "service.support") ||
		engine.Granted(revision.ID, "crm-mailer", "marketing.nonsense") || engine.Granted(revision.ID, "nobody", "marketing.sms") {
		t.Error("grants")
	}
	purpose, known := engine.Purpose(revision.ID, "marketing.email")
	if !known || purpose.BasisUnder("gdpr") != "consent" || purpose.BasisUnder("ccpa") != "notice" || purpose.Title["zh"] == "" {
		t.Errorf("purpose %+v", purpose)
	}
	if client, known := engine.Client(revision.ID, "ads-desk"); !known || client.Recipient != "processor" || client.Country != "IE" {
		t.Errorf("client %+v", client)
	}
}

func TestAuthorise(t *testing.T) {
	engine, revision := setup(t)
	me := privacy.SubjectID{1}
	person := privacy.Caller{Client: "portal", Roles: []privacy.Role{privacy.RoleSubject}, Subject: me}
	steward := privacy.Caller{Client: "loader", Roles: []privacy.Role{privacy.RoleSteward}}
	for _, c := range []struct {
		caller    privacy.Caller
		operation Operation
		about     privacy.SubjectID
		want      bool
	}{
		{person, "consents-list", me, true},
		{person, "consents-list", privacy.SubjectID{2}, false},
		{person, "consents-list", privacy.SubjectID{}, false},
		{person, "subjects-import", me, false},
		{privacy.Caller{Client: "portal", Roles: []privacy.Role{privacy.RoleSubject}}, "consents-list", privacy.SubjectID{}, false},
		{steward, "subjects-import", privacy.SubjectID{}, true},
		{steward, "disclosures-create", privacy.SubjectID{}, false},
		{steward, "no-such-operation", privacy.SubjectID{}, false},
		{privacy.Caller{}, "audit-checkpoint", privacy.SubjectID{}, false},
	} {
		for range 2 { // worked out, then remembered
			got, err := engine.Authorise(t.Context(), revision.ID, NewAuthzInput(c.caller, c.operation, c.about))
			if err != nil || got != c.want {
				t.Errorf("%v %s: %v, %v", c.caller.Roles, c.operation, got, err)
			}
		}
	}
}
