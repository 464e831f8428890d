package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/consentry/consentry/internal/privacy"
)

// The entry points of a revision. decision is what disclosures rest on, allow is
// who may call what, grants is the table of purposes per client, giving what keeps a consent off the ledger.
const (
	decisionQuery = "data.consentry.disclosure.decision"
	allowQuery    = "data.consentry.authz.allow"
	grantsQuery   = "data.consentry.grants.table"
	givingQuery   = "data.consentry.giving.denials"
)

// prepared is a revision compiled, with its tables in memory.
type prepared struct {
	decision rego.PreparedEvalQuery
	allow    rego.PreparedEvalQuery
	giving   rego.PreparedEvalQuery
	tables   tables
}

func prepare(ctx context.Context, revision Revision) (*prepared, error) {
	compiler, err := compile(revision.Modules)
	if err != nil {
		return nil, invalidPolicy(err)
	}
	return prepareCompiled(ctx, compiler, revision.Data)
}

func prepareCompiled(ctx context.Context, compiler *ast.Compiler, data map[string]any) (*prepared, error) {
	// The store keeps the tables as the evaluator wants them, so that no evaluation converts them.
	store := inmem.NewFromObjectWithOpts(maps.Clone(data), inmem.OptReturnASTValuesOnRead(true))
	query := func(entry string) (rego.PreparedEvalQuery, error) {
		return rego.New(rego.Query(entry), rego.Compiler(compiler), rego.Store(store),
			rego.Capabilities(pureCapabilities()), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	}
	var err error
	ready := &prepared{}
	if ready.decision, err = query(decisionQuery); err != nil {
		return nil, invalidPolicy(err)
	}
	if ready.allow, err = query(allowQuery); err != nil {
		return nil, invalidPolicy(err)
	}
	if ready.giving, err = query(givingQuery); err != nil {
		return nil, invalidPolicy(err)
	}
	grants, err := query(grantsQuery)
	if err != nil {
		return nil, invalidPolicy(err)
	}
	granted, err := run(ctx, grants, []byte("{}"))
	if err != nil {
		return nil, err
	}
	if ready.tables, err = readTables(data, granted); err != nil {
		return nil, invalidPolicy(err)
	}
	return ready, nil
}

// compile parses and compiles in strict mode: unused variables and imports are
// errors, since they are where a rule says less than its author meant.
func compile(modules map[string]string) (*ast.Compiler, error) {
	capabilities := pureCapabilities()
	parsed := make(map[string]*ast.Module, len(modules))
	for name, source := range modules {
		module, err := ast.ParseModuleWithOpts(name, source, ast.ParserOptions{Capabilities: capabilities, RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, err
		}
		parsed[name] = module
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities).WithStrict(true)
	compiler.Compile(parsed)
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

func invalidPolicy(cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_policy",
		Detail: "the policy does not compile; correct the module and try again", Cause: cause}
}

// run evaluates an entry point on canonical input. An undefined answer, a conflict or a
// failing built-in is the policy's answer, nil; running out of time is an error.
func run(ctx context.Context, query rego.PreparedEvalQuery, input []byte, options ...rego.EvalOption) (any, error) {
	value, err := inputValue(input)
	if err != nil {
		return nil, privacy.Internal(err, "read a decision input")
	}
	ctx, cancel := context.WithTimeout(ctx, evaluationTime)
	defer cancel()
	results, err := query.Eval(ctx, append(options, rego.EvalParsedInput(value))...)
	switch {
	case ctx.Err() != nil:
		return nil, unavailable(ctx.Err())
	case err != nil:
		return policyFailure(err)
	case len(results) != 1 || len(results[0].Expressions) != 1:
		return nil, nil
	}
	return results[0].Expressions[0].Value, nil
}

// policyFailure tells a policy that fails, always and everywhere the same way, from an
// engine that does.
func policyFailure(err error) (any, error) {
	var failure *topdown.Error
	if errors.As(err, &failure) {
		switch failure.Code {
		case topdown.ConflictErr, topdown.TypeErr, topdown.BuiltinErr:
			return nil, nil
		}
	}
	return nil, unavailable(err)
}

func inputValue(input []byte) (ast.Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(document)
}
