package policy

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// runTests runs the test modules, with the same built-ins as the policy has.
func (r *Report) runTests(ctx context.Context, revision Revision) error {
	if len(revision.Tests.Modules) == 0 {
		return nil
	}
	all := maps.Clone(revision.Modules)
	maps.Copy(all, revision.Tests.Modules)
	modules, problems := parseModules(all)
	if problems = append(problems, forbiddenCalls(modules)...); len(problems) > 0 {
		r.add(problems...)
		return nil
	}
	capabilities := pureCapabilities()
	capabilities.Builtins = append(capabilities.Builtins, ast.InternalTestCase) // what the tester itself puts in
	compiler := ast.NewCompiler().WithCapabilities(capabilities).SetErrorLimit(problemsOfOneModule)
	runner := tester.NewRunner().SetCompiler(compiler).SetModules(modules).SetStore(inmem.NewFromObject(revision.Data)).
		CapturePrintOutput(false).SetTimeout(evaluationTime).SetParallel(1)
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		r.add(compilerProblems(err)...)
		return nil
	}
	for result := range results {
		r.Tests = append(r.Tests, testResult(result))
	}
	slices.SortFunc(r.Tests, func(a, b TestResult) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return a.Line - b.Line
	})
	return ctx.Err()
}

func testResult(result *tester.Result) TestResult {
	out := TestResult{Name: strings.TrimPrefix(result.Package, "data.") + "." + result.Name, Pass: result.Pass(), Skipped: result.Skip}
	if result.Location != nil {
		out.File, out.Line = result.Location.File, result.Location.Row
	}
	switch {
	case result.Error != nil:
		out.Message = "the test could not be evaluated, or took too long"
	case result.Fail:
		out.Message = "the test does not hold"
		var failed []string
		for name, sub := range result.SubResults.Iter {
			if sub.Fail {
				failed = append(failed, strings.Join(name, "/"))
			}
		}
		if len(failed) > 0 {
			out.Message += " for " + strings.Join(failed, ", ")
		}
	}
	return out
}
