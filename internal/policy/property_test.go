package policy

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

// generators draw inputs: one that makes sense and is often permitted, disturbed in up to
// three places by values of every kind, nonsense among them. Drawing every field freely
// would hardly ever permit anything, and properties of permissions would hold for nothing.
type generators struct {
	clients    []privacy.ClientID
	purposes   []privacy.PurposeName
	attributes []privacy.AttributeName
}

func newGenerators(t *testing.T, revision Revision) generators {
	t.Helper()
	data := tablesOf(t, revision)
	return generators{
		clients:    append(namesOf[privacy.ClientID](data["clients"]), "nobody"),
		purposes:   append(namesOf[privacy.PurposeName](data["purposes"]), "nothing"),
		attributes: append(namesOf[privacy.AttributeName](data["attributes"]), "nowhere"),
	}
}

func namesOf[T ~string](table any) []T {
	names := []T{}
	for name := range table.(map[string]any) {
		names = append(names, T(name))
	}
	return distinct(names)
}

var homes = map[privacy.Regime]string{"gdpr": "DE", "uk_gdpr": "GB", "pipl": "CN", "ccpa": "US", "lgpd": "BR", "appi": "JP", "pdpa": "SG", "pipa": "KR", "quebec25": "CA", "default": ""}

func (g generators) input(t *rapid.T) privacy.DecisionInput {
	regime := rapid.SampledFrom(privacy.Regimes()).Draw(t, "regime")
	input := privacy.DecisionInput{
		Caller:     privacy.InputCaller{Client: "own", Roles: []privacy.Role{privacy.RoleConsumer}},
		Purpose:    rapid.SampledFrom(g.purposes).Draw(t, "purpose"),
		Attributes: rapid.SliceOfN(rapid.SampledFrom([]privacy.AttributeName{"email", "health", "basket", "risk_score", "spend_score", "city"}), 1, 5).Draw(t, "attributes"),
		Subject: privacy.SubjectState{
			Regime: regime, Country: homes[regime], AgeBand: privacy.AgeAdult,
			Consent: privacy.ConsentState{
				Status: privacy.ConsentGranted, NoticeVersion: 3, Explicit: true, By: privacy.BySelf,
				SeparateFor: []privacy.ConsentScope{"sensitive", "third_party", "transfer"},
			},
		},
	}
	for range rapid.IntRange(0, 3).Draw(t, "disturbances") {
		g.disturb(t, &input)
	}
	return input
}

func (g generators) disturb(t *rapid.T, input *privacy.DecisionInput) {
	subject, consent := &input.Subject, &input.Subject.Consent
	switch rapid.IntRange(0, 14).Draw(t, "where") {
	case 0:
		input.Caller.Client = rapid.SampledFrom(g.clients).Draw(t, "client")
	case 1:
		input.Attributes = rapid.SliceOfN(rapid.SampledFrom(g.attributes), 1, 5).Draw(t, "attributes")
	case 2:
		subject.Regime = rapid.SampledFrom([]privacy.Regime{"", "martian", "default"}).Draw(t, "regime")
	case 3:
		subject.Country = rapid.SampledFrom([]string{"", "DE", "FR", "CN", "US", "ZZ", "Germany"}).Draw(t, "country")
	case 4:
		subject.AgeBand = rapid.SampledFrom([]privacy.AgeBand{"0-12", "13", "14", "15", "16-17", "unknown", "", "99"}).Draw(t, "age")
	case 5:
		consent.Status = rapid.SampledFrom([]privacy.ConsentStatus{"none", "pending", "denied", "withdrawn", "expired", "", "maybe"}).Draw(t, "status")
	case 6:
		consent.NoticeVersion = rapid.IntRange(-1, 4).Draw(t, "notice")
	case 7:
		consent.Explicit = false
	case 8:
		consent.SeparateFor = rapid.SliceOf(rapid.SampledFrom([]privacy.ConsentScope{"third_party", "public", "sensitive", "transfer"})).Draw(t, "separate")
	case 9:
		consent.By = rapid.SampledFrom([]privacy.ConsentBy{"guardian", ""}).Draw(t, "by")
	case 10:
		subject.Restricted, subject.StorageOnly = rapid.Bool().Draw(t, "restricted"), rapid.Bool().Draw(t, "storage only")
	case 11:
		subject.Objected = true
	case 12:
		subject.OptOutSignal = true
	case 13:
		subject.LimitSensitive = true
	case 14:
		subject.SoftOptIn = true
	}
}

// The generators must be worth something: a fair share of inputs permits, a fair share withholds.
func TestGeneratorsReachBothAnswers(t *testing.T) {
	engine, revision := setup(t)
	g := newGenerators(t, revision)
	all, permitting, withholding := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		decision, err := engine.Decide(t.Context(), revision.ID, g.input(t))
		if err != nil {
			t.Fatal(err)
		}
		all++
		permitting += min(len(decision.Outcome.Permitted), 1)
		withholding += min(len(decision.Outcome.Withheld), 1)
	})
	t.Logf("of %d inputs %d permit and %d withhold something", all, permitting, withholding)
	if permitting*10 < all || withholding*10 < all {
		t.Errorf("of %d inputs %d permit and %d withhold something", all, permitting, withholding)
	}
}

func TestLaw7DecisionsReplay(t *testing.T) {
	engine, revision := setup(t)
	fresh, _ := setup(t)
	g := newGenerators(t, revision)
	rapid.Check(t, func(t *rapid.T) {
		decision, err := engine.Decide(t.Context(), revision.ID, g.input(t))
		if err != nil {
			t.Fatal(err)
		}
		stored, err := ParseInput(decision.Input)
		if err != nil {
			t.Fatal(err)
		}
		replayed, err := fresh.Decide(t.Context(), revision.ID, stored)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(replayed.Outcome, decision.Outcome) || !bytes.Equal(replayed.Input, decision.Input) {
			t.Fatalf("decided %v, replayed %v", decision.Outcome, replayed.Outcome)
		}
	})
}

func TestEveryAttributeHasExactlyOneAnswer(t *testing.T) {
	engine, revision := setup(t)
	g := newGenerators(t, revision)
	rapid.Check(t, func(t *rapid.T) {
		input := g.input(t)
		decision, err := engine.Decide(t.Context(), revision.ID, input)
		if err != nil {
			t.Fatal(err)
		}
		asked := distinct(input.Attributes)
		for _, attribute := range asked {
			mode, permitted := decision.Outcome.Permitted[attribute]
			reason, withheld := decision.Outcome.Withheld[attribute]
			if permitted == withheld || permitted && !mode.Releases() || withheld && !reason.Valid() {
				t.Fatalf("%s: %v", attribute, decision.Outcome)
			}
		}
		if len(decision.Outcome.Permitted)+len(decision.Outcome.Withheld) != len(asked) {
			t.Fatalf("answers nobody asked for: %v", decision.Outcome)
		}
	})
}

func TestLaw2NothingWithoutConsentWhereConsentIsTheBasis(t *testing.T) {
	engine, revision := setup(t)
	g := newGenerators(t, revision)
	rapid.Check(t, func(t *rapid.T) {
		input := g.input(t)
		decision, err := engine.Decide(t.Context(), revision.ID, input)
		if err != nil {
			t.Fatal(err)
		}
		purpose, known := engine.Purpose(revision.ID, input.Purpose)
		nonsense := input.Subject.Regime == "" || input.Subject.Country == "Germany" || input.Subject.AgeBand == "" || input.Subject.AgeBand == "99" ||
			input.Subject.Consent.Status == "" || input.Subject.Consent.Status == "maybe"
		denied := !known || nonsense || input.Subject.StorageOnly || !engine.Granted(revision.ID, input.Caller.Client, input.Purpose) ||
			purpose.BasisUnder(input.Subject.Regime) == "consent" && input.Subject.Consent.Status != privacy.ConsentGranted
		if denied && len(decision.Outcome.Permitted) > 0 {
			t.Fatalf("permitted %v", decision.Outcome.Permitted)
		}
	})
}

// Taking something away from a consent, or saying no, never opens anything.
func TestLaw3WithdrawingNeverAddsPermissions(t *testing.T) {
	engine, revision := setup(t)
	g := newGenerators(t, revision)
	weaken := map[string]func(*privacy.SubjectState){
		"withdraw": func(s *privacy.SubjectState) { s.Consent.Status = privacy.ConsentWithdrawn },
		"deny":     func(s *privacy.SubjectState) { s.Consent.Status = privacy.ConsentDenied },
		"expire":   func(s *privacy.SubjectState) { s.Consent.Status = privacy.ConsentExpired },
		"implicit": func(s *privacy.SubjectState) { s.Consent.Explicit = false },
		"lump":     func(s *privacy.SubjectState) { s.Consent.SeparateFor = nil },
		"older":    func(s *privacy.SubjectState) { s.Consent.NoticeVersion-- },
		"restrict": func(s *privacy.SubjectState) { s.Restricted = true },
		"store":    func(s *privacy.SubjectState) { s.StorageOnly = true },
		"object":   func(s *privacy.SubjectState) { s.Objected = true },
		"signal":   func(s *privacy.SubjectState) { s.OptOutSignal = true },
		"limit":    func(s *privacy.SubjectState) { s.LimitSensitive = true },
		"harden":   func(s *privacy.SubjectState) { s.SoftOptIn = false },
		"younger":  func(s *privacy.SubjectState) { s.AgeBand = privacy.AgeChild },
		"no law":   func(s *privacy.SubjectState) { s.Regime = "" },
	}
	rapid.Check(t, func(t *rapid.T) {
		before := g.input(t)
		before.Subject.Consent.Status = privacy.ConsentGranted
		how := rapid.SampledFrom(keysOf(weaken)).Draw(t, "how")
		after := before
		weaken[how](&after.Subject)
		first, err := engine.Decide(t.Context(), revision.ID, before)
		if err != nil {
			t.Fatal(err)
		}
		second, err := engine.Decide(t.Context(), revision.ID, after)
		if err != nil {
			t.Fatal(err)
		}
		for attribute := range second.Outcome.Permitted {
			if _, already := first.Outcome.Permitted[attribute]; !already && !wasMalformed(before) {
				t.Fatalf("%s opens %s: %v", how, attribute, first.Outcome.Withheld[attribute])
			}
		}
	})
}

// wasMalformed says that the input before was refused as such: a consent given by nobody is
// nonsense only while it is granted, an age that is none only until it is another.
func wasMalformed(input privacy.DecisionInput) bool {
	return input.Subject.Consent.By == "" || input.Subject.AgeBand == "" || input.Subject.AgeBand == "99"
}

func keysOf[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return distinct(keys)
}

func TestCanonicalInputIsOneForm(t *testing.T) {
	g := newGenerators(t, defaultRevision(t))
	rapid.Check(t, func(t *rapid.T) {
		input := g.input(t)
		shuffled := input
		shuffled.Attributes = append(rapid.Permutation(input.Attributes).Draw(t, "order"), input.Attributes[0])
		shuffled.Subject.Consent.SeparateFor = rapid.Permutation(input.Subject.Consent.SeparateFor).Draw(t, "scopes")
		one, err1 := CanonicalInput(input)
		two, err2 := CanonicalInput(shuffled)
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Fatalf("%s\n%s", one, two)
		}
	})
}

func TestCanonicalInputIsThis(t *testing.T) {
	got, err := CanonicalInput(consenting("email", "city", "email"))
	want := `{"caller":{"client":"crm-mailer","roles":["consumer"]},"purpose":"marketing.email","attributes":["city","email"],` +
		`"subject":{"regime":"gdpr","country":"DE","age_band":"18+","restricted":false,"storage_only":false,"objected":false,` +
		`"opt_out_signal":false,"limit_sensitive":false,"soft_opt_in":false,` +
		`"consent":{"status":"granted","notice_version":1,"explicit":false,"separate_for":[],"by":"self"}}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := CanonicalInput(consenting("e\xffmail")); privacy.CodeOf(err) != "invalid_input" {
		t.Errorf("text that is not UTF-8: %v", err)
	}
}

func FuzzParseInput(f *testing.F) {
	content, err := CanonicalInput(consenting("city", "email"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		input, err := ParseInput(content)
		if err != nil {
			return
		}
		again, err := CanonicalInput(input)
		if err != nil || !bytes.Equal(again, content) {
			t.Errorf("accepted what is not canonical")
		}
	})
}
