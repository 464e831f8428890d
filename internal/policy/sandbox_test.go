package policy

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// The tests' own program serves as the child.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childArgument {
		if err := Child(context.Background(), os.Stdin, os.Stdout, os.Exit); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const childArgument = "child"

func sandbox(t *testing.T) Sandbox {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Sandbox{Path: path, Args: []string{path, childArgument}}
}

// slow gives the built-in policy with a rule that asks for more than there is.
func slow(t *testing.T, rules string) Revision {
	t.Helper()
	revision := defaultRevision(t)
	modules := map[string]string{}
	for name, source := range revision.Modules {
		modules[name] = source
	}
	modules["consent.rego"] += "\n" + rules + "\ndenials contains \"policy_error\" if slow\n"
	revision, err := NewRevision(modules, revision.Data)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestSandboxReportsAsTryDoes(t *testing.T) {
	for name, rules := range map[string]string{"sound": "slow if 1 == 2", "unsound": "slow if http.send({})", "undecided": "slow if true"} {
		revision := slow(t, rules)
		want, err := Try(t.Context(), revision)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sandbox(t).Try(t.Context(), revision)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// One call of a built-in can ask for all the memory there is, and heeds no context.
func TestSandboxOutlivesWhatIsTooMuch(t *testing.T) {
	long := strings.Repeat("a", 100)
	for name, rules := range map[string]string{
		"concat": `big := concat("", [x | some i in numbers.range(1, 100000); x := "` + long + `"])
slow if count(concat("", [big | some i in numbers.range(1, 1000)])) == 5`,
		"replace": `slow if {
	a := replace("aaaaaaaaaaaaaaaaaaaa", "a", "` + long + `")
	b := replace(a, "a", a)
	count(replace(b, "a", a)) == 3
}`,
	} {
		report, err := sandbox(t).Try(t.Context(), slow(t, rules))
		if err != nil || report.Pass || len(report.Problems) != 1 || report.Problems[0].Code != ProblemTooExpensive {
			t.Errorf("%s: %+v, %v", name, report.Problems, err)
		}
	}
}

func TestSandboxEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	report, err := sandbox(t).Try(ctx, slow(t, "slow if product([y | some i in numbers.range(1, 200000); y := 999999999999999999999999999999999999999999]) == 3"))
	if privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("got %+v, %v", report.Problems, err)
	}
}

// A draft that expects nothing does not pass silently, and the built-in policy expects much.
func TestPoliciesWithoutTestsAreWarnedOf(t *testing.T) {
	revision := slow(t, "slow if 1 == 2")
	report, err := Check(t.Context(), revision)
	if err != nil || !report.Pass || len(report.Warnings) != 1 {
		t.Errorf("without tests: %+v, %v", report, err)
	}
	tests, err := DefaultTests()
	if err != nil {
		t.Fatal(err)
	}
	if revision, err = revision.WithTests(tests); err != nil {
		t.Fatal(err)
	}
	if report, err = Check(t.Context(), revision); err != nil || len(report.Warnings) != 0 || len(report.Cases) < 20 || len(report.Tests) < 30 {
		t.Errorf("with the built-in ones: %d cases, %d tests, %v, %v", len(report.Cases), len(report.Tests), report.Warnings, err)
	}
}
