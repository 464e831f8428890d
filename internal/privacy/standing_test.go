package privacy_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

func hour(n int) time.Time {
	return time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
}

func granted(at time.Time) privacy.GivenConsent {
	return privacy.GivenConsent{Status: privacy.ConsentGranted, At: at}
}

func TestObjectionReachesTheFamily(t *testing.T) {
	t.Parallel()
	for scope, reached := range map[privacy.ObjectionScope][]privacy.PurposeName{
		"marketing.email": {"marketing.email", "marketing.sms", "marketing.email.weekly"},
		"marketing.*":     {"marketing.email", "marketing.sms"},
		"marketing":       {"marketing", "marketing.email"},
		"*":               {"marketing.email", "service.support", "marketingx.email"},
	} {
		standing := privacy.Standing{}.Object(scope, hour(1))
		for _, purpose := range []privacy.PurposeName{"marketing", "marketing.email", "marketing.sms", "marketing.email.weekly", "service.support", "marketingx.email"} {
			want := scope == "*" || slices.Contains(reached, purpose) || purpose.Family() == "marketing"
			if got := standing.Objected(purpose, privacy.GivenConsent{}); got != want {
				t.Errorf("an objection to %s reaches %s: %t", scope, purpose, got)
			}
		}
	}
}

func TestObjectionAndConsentByTime(t *testing.T) {
	t.Parallel()
	standing := privacy.Standing{}.Object("marketing.*", hour(2))
	for name, c := range map[string]struct {
		consent privacy.GivenConsent
		want    bool
	}{
		"none":          {privacy.GivenConsent{Status: privacy.ConsentNone}, true},
		"older":         {granted(hour(1)), true},
		"same moment":   {granted(hour(2)), true},
		"newer":         {granted(hour(3)), false},
		"newer denial":  {privacy.GivenConsent{Status: privacy.ConsentDenied, At: hour(3)}, true},
		"newer expired": {privacy.GivenConsent{Status: privacy.ConsentExpired, At: hour(3)}, true},
	} {
		if got := standing.Objected("marketing.email", c.consent); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if (privacy.Standing{}).Objected("marketing.email", privacy.GivenConsent{}) {
		t.Error("nobody objected")
	}
}

// X11 of the regimes: a signal beats an older opt-in, a newer two-step opt-in beats the signal.
func TestOptOutSignalAndConsentByTime(t *testing.T) {
	t.Parallel()
	standing := privacy.Standing{OptOutSignal: hour(2), LimitSensitive: hour(2)}
	for name, c := range map[string]struct {
		consent privacy.GivenConsent
		want    bool
	}{
		"older":           {privacy.GivenConsent{Status: privacy.ConsentGranted, At: hour(1), Explicit: true}, true},
		"same moment":     {privacy.GivenConsent{Status: privacy.ConsentGranted, At: hour(2), Explicit: true}, true},
		"newer, one step": {granted(hour(3)), true},
		"newer, two-step": {privacy.GivenConsent{Status: privacy.ConsentGranted, At: hour(3), Explicit: true}, false},
		"newer, run out":  {privacy.GivenConsent{Status: privacy.ConsentExpired, At: hour(3), Explicit: true}, true},
	} {
		if got := standing.OptedOut(c.consent); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if got := standing.LimitedSensitive(c.consent); got != c.want {
			t.Errorf("%s: limited %t", name, got)
		}
	}
	if (privacy.Standing{}).OptedOut(privacy.GivenConsent{}) || (privacy.Standing{}).LimitedSensitive(privacy.GivenConsent{}) || !(privacy.Standing{LimitSensitive: hour(1)}).LimitedSensitive(privacy.GivenConsent{}) {
		t.Error("a signal is there or it is not")
	}
}

func TestLiftEndsWhatLiesWithinIt(t *testing.T) {
	t.Parallel()
	objections := []privacy.ObjectionScope{"*", "marketing.*", "marketing.email", "sales.outreach"}
	for lifted, left := range map[privacy.ObjectionScope][]privacy.ObjectionScope{
		"*":               nil,
		"marketing.*":     {"*", "sales.outreach"},
		"marketing.email": {"*", "marketing.*", "sales.outreach"},
		"marketing.sms":   objections,
	} {
		var standing privacy.Standing
		for _, scope := range objections {
			standing = standing.Object(scope, hour(1))
		}
		if same := standing.Lift(lifted, hour(1)); !same.Equal(standing) {
			t.Errorf("lifting %s at the moment of the objection leaves %v", lifted, same.Objections)
		}
		after := standing.Lift(lifted, hour(2))
		var scopes []privacy.ObjectionScope
		for _, o := range after.Objections {
			scopes = append(scopes, o.Scope)
		}
		if !slices.Equal(scopes, left) {
			t.Errorf("lifting %s leaves %v", lifted, scopes)
		}
	}
}

func TestStandingIsCompact(t *testing.T) {
	t.Parallel()
	for want, standing := range map[string]privacy.Standing{
		`{}`: {},
		`{"objections":[{"scope":"*","at":"2026-03-01T01:00:00Z"}]}`:                         privacy.Standing{}.Object("*", hour(1)),
		`{"opt_out_signal":"2026-03-01T02:00:00Z","limit_sensitive":"2026-03-01T03:00:00Z"}`: {OptOutSignal: hour(2), LimitSensitive: hour(3)},
	} {
		if got, err := json.Marshal(standing); err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
	}
	if content, err := json.Marshal(privacy.Standing{}.Object("*", hour(1)).Lift("*", hour(2))); err != nil || string(content) != "{}" {
		t.Errorf("after the last objection was lifted: %s, %v", content, err)
	}
}

func TestObjectionScopeForms(t *testing.T) {
	t.Parallel()
	for scope, valid := range map[privacy.ObjectionScope]bool{
		"*": true, "marketing": true, "marketing.email": true, "marketing.*": true, "a_b.c-1": true,
		"": false, ".*": false, "*.*": false, "marketing.": false, ".email": false, "marketing..email": false, "Marketing.email": false,
		"marketing.email.*": false, "marketing*": false, "marketing.e mail": false, "märketing": false,
	} {
		if scope.Valid() != valid {
			t.Errorf("%q: %t", scope, !valid)
		}
	}
}

var scopes = []privacy.ObjectionScope{"*", "a.*", "a.x", "a.y", "b.*", "b.x"}

// Whatever happened before, an objection that was just made stands against everything it covers until something
// newer lifts it; the list stays in order, and an older objection never shortens a newer one.
func TestStandingProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var standing privacy.Standing
		for range rapid.IntRange(0, 12).Draw(rt, "steps") {
			scope := rapid.SampledFrom(scopes).Draw(rt, "scope")
			at := hour(rapid.IntRange(0, 5).Draw(rt, "at"))
			before, kept := standing, slices.Clone(standing.Objections)
			if rapid.Bool().Draw(rt, "object") {
				standing = standing.Object(scope, at)
				for _, purpose := range []privacy.PurposeName{"a.x", "a.y", "b.x"} {
					if scope.Covers(purpose) && !standing.Objected(purpose, granted(at)) {
						rt.Fatalf("an objection to %s of %s leaves %s free", scope, at, purpose)
					}
				}
			} else {
				standing = standing.Lift(scope, at)
			}
			for _, purpose := range []privacy.PurposeName{"a.x", "a.y", "b.x"} {
				if !standing.Objected(purpose, granted(at)) {
					continue
				}
				if standing.Objected(purpose, granted(hour(6))) {
					rt.Fatalf("a consent newer than anything does not lift %s", purpose)
				}
			}
			if !slices.Equal(before.Objections, kept) {
				rt.Fatal("a standing was changed in place")
			}
			if !slices.IsSortedFunc(standing.Objections, func(a, b privacy.Objection) int {
				if a.Scope < b.Scope {
					return -1
				}
				return 1
			}) {
				rt.Fatalf("out of order: %v", standing.Objections)
			}
		}
		content, err := json.Marshal(standing)
		var back privacy.Standing
		if err != nil || json.Unmarshal(content, &back) != nil || !back.Equal(standing) {
			rt.Fatalf("%s is not %v", content, standing)
		}
	})
}
