package policy

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/consentry/consentry/internal/privacy"
)

// A check is bounded: by the size of what is compiled, by time and by memory. A module cannot loop, but a
// comprehension over a product of tables can take as long and as much as its author has rows.
const (
	checkTime   = 60 * time.Second
	checkMemory = 512 << 20 // bytes of heap in use more than at the start, of this process
)

// Report says whether a revision holds what was expected of it. It quotes the officer's own modules, tables
// and cases, and nothing else.
type Report struct {
	Revision privacy.RevisionID `json:"revision"`
	Pass     bool               `json:"pass"`     // no problems, and every case and test passed
	Problems []Problem          `json:"problems"` // why it could not be put in force as it is
	Cases    []CaseResult       `json:"cases"`
	Tests    []TestResult       `json:"tests"`    // of Rego test modules
	Warnings []string           `json:"warnings"` // what to know of a report that passes
}

// CaseResult compares what a case expects with what was decided.
type CaseResult struct {
	Name     string                  `json:"name"`
	Pass     bool                    `json:"pass"`
	Expected privacy.Outcome         `json:"expected"`
	Got      privacy.Outcome         `json:"got"`
	Differ   []privacy.AttributeName `json:"differ"`          // the attributes that are not as expected
	Trace    []string                `json:"trace,omitempty"` // of a case that failed: the rules that held
}

// TestResult is what a rule of a test module gave.
type TestResult struct {
	Name    string `json:"name"` // package and rule
	File    string `json:"file"`
	Line    int    `json:"line"`
	Pass    bool   `json:"pass"`
	Skipped bool   `json:"skipped,omitempty"`
	Message string `json:"message,omitempty"` // of one that failed
}

// Check tries a revision: it compiles the modules strictly, holds tables to their schemas and to each
// other, asks a sample of questions, runs the officer's cases and OPA's tester. Whatever is wrong
// with the revision is in the report; the error says only that it could not be tried now.
func Check(ctx context.Context, revision Revision) (Report, error) {
	report := Report{Revision: revision.ID, Problems: []Problem{}, Cases: []CaseResult{}, Tests: []TestResult{}, Warnings: warnings(revision.Tests)}
	report.add(sizeProblems(revision)...)
	if len(report.Problems) > 0 {
		return report, nil // too much even to compile
	}
	parsed, problems := parseModules(revision.Modules)
	report.add(problems...)
	report.add(tableProblems(revision.Data)...)
	report.add(caseProblems(revision.Tests.Cases)...)
	compiler, problems := compileStrictly(parsed, revision.Data)
	report.add(problems...)
	if compiler == nil {
		return report, nil
	}
	bounded, stop := bound(ctx, checkTime, checkMemory)
	defer stop()
	err := report.try(bounded, compiler, revision)
	switch {
	case ctx.Err() != nil:
		return Report{}, unavailable(ctx.Err())
	case err != nil && tooMuch(bounded, err):
		report.add(tooExpensive())
	case err != nil:
		return Report{}, err
	}
	report.Pass = report.passed()
	return report, nil
}

// warnings says what a check does not show.
func warnings(tests Tests) []string {
	switch {
	case tests.IsZero():
		return []string{"the policy has no cases and no tests: nothing shows that it decides as it should"}
	case len(tests.Cases) == 0:
		return []string{"the policy has no cases: only its Rego tests show that it decides as it should"}
	}
	return []string{}
}

// try evaluates. The error is one of time, memory or the engine.
func (r *Report) try(ctx context.Context, compiler *ast.Compiler, revision Revision) error {
	ready, err := prepareCompiled(ctx, compiler, revision.Data)
	if err != nil {
		if privacy.KindOf(err) == privacy.KindInvalid {
			r.add(Problem{Code: ProblemTable, Message: "the tables cannot be read; correct the problems named above"})
			return nil
		}
		return err
	}
	if err := r.sample(ctx, ready, revision); err != nil {
		return err
	}
	for _, c := range revision.Tests.Cases {
		if err := r.runCase(ctx, ready, c); err != nil {
			return err
		}
	}
	return r.runTests(ctx, revision)
}

func (r *Report) runCase(ctx context.Context, ready *prepared, c Case) error {
	got, trace, err := ready.explain(ctx, c.DecisionInput())
	if err != nil {
		return err
	}
	result := CaseResult{Name: c.Name, Expected: cloneOutcome(privacy.Outcome{Permitted: c.Permitted, Withheld: c.Withheld}), Got: got}
	result.Differ = c.differences(got)
	result.Pass = len(result.Differ) == 0 && len(c.faults()) == 0
	if !result.Pass {
		result.Trace = trace
	}
	r.Cases = append(r.Cases, result)
	return nil
}

func (r *Report) add(problems ...Problem) { r.Problems = append(r.Problems, problems...) }

func (r *Report) passed() bool {
	for _, c := range r.Cases {
		if !c.Pass {
			return false
		}
	}
	for _, test := range r.Tests {
		if !test.Pass && !test.Skipped {
			return false
		}
	}
	return len(r.Problems) == 0
}
