package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

// What a check is ready to compile; the built-in policy has some twenty modules of 40 kB in all.
const (
	mostModules  = 200
	largestPart  = 256 << 10 // bytes of one module
	largestWhole = 8 << 20   // bytes of the revision's content
)

func sizeProblems(revision Revision) []Problem {
	var problems []Problem
	content, err := revision.Content()
	if err != nil || len(content) > largestWhole {
		problems = append(problems, Problem{Code: ProblemTooLarge, Message: fmt.Sprintf("a revision has at most %d bytes", largestWhole)})
	}
	if len(revision.Modules)+len(revision.Tests.Modules) > mostModules {
		problems = append(problems, Problem{Code: ProblemTooLarge, Message: fmt.Sprintf("a revision has at most %d modules", mostModules)})
	}
	for _, part := range []struct {
		modules map[string]string
		test    bool
	}{{revision.Modules, false}, {revision.Tests.Modules, true}} {
		for _, name := range slices.Sorted(maps.Keys(part.modules)) {
			if len(part.modules[name]) > largestPart {
				problems = append(problems, Problem{Code: ProblemTooLarge, File: name, Message: fmt.Sprintf("a module has at most %d bytes", largestPart)})
			}
			if !moduleName(name, part.test) {
				problems = append(problems, Problem{Code: ProblemFileName, File: name,
					Message: "a module is named in lower case with the ending .rego, a test module with _test.rego, and nothing else is"})
			}
		}
	}
	return problems
}

// moduleName reports whether a module of that name can be written to a file and found there again.
func moduleName(name string, test bool) bool {
	if !strings.HasSuffix(name, ".rego") || strings.HasSuffix(name, "_test.rego") != test || len(name) > 200 {
		return false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, ".rego"), "/") {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || part == "" {
			return false
		}
	}
	return true
}

// parseModules parses all modules, so that the problems of all are seen at once.
func parseModules(modules map[string]string) (map[string]*ast.Module, []Problem) {
	parsed := make(map[string]*ast.Module, len(modules))
	var problems []Problem
	options := ast.ParserOptions{Capabilities: ast.CapabilitiesForThisVersion(), RegoVersion: ast.RegoV1, ProcessAnnotation: true}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		module, err := ast.ParseModuleWithOpts(name, modules[name], options)
		switch {
		case err != nil:
			problems = append(problems, compilerProblems(err)...)
		case module == nil:
			problems = append(problems, Problem{Code: ProblemSyntax, File: name, Line: 1, Column: 1, Message: "the module is empty"})
		default:
			parsed[name] = module
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return parsed, nil
}

// compileStrictly compiles as Load does, and beyond that knows the shape of input, so that a field that there is not
// is an error, and looks whether every reference leads somewhere. The compiler is nil when there
// is nothing to evaluate.
func compileStrictly(parsed map[string]*ast.Module, data map[string]any) (*ast.Compiler, []Problem) {
	if parsed == nil {
		return nil, nil
	}
	if problems := forbiddenCalls(parsed); len(problems) > 0 {
		return nil, problems
	}
	set, err := inputSchemas()
	if err != nil {
		return nil, []Problem{{Code: ProblemCompile, Message: "the schema of the input cannot be read"}}
	}
	compiler := ast.NewCompiler().WithCapabilities(pureCapabilities()).WithStrict(true).WithSchemas(set).SetErrorLimit(problemsOfOneModule)
	compiler.Compile(parsed)
	if compiler.Failed() {
		return nil, compilerProblems(compiler.Errors)
	}
	problems := append(entryProblems(compiler), undefinedReferences(compiler, data)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return compiler, nil
}

// forbiddenCalls finds the built-ins that a policy may not call, each with its place: the compiler would only
// say that it does not know them.
func forbiddenCalls(modules map[string]*ast.Module) []Problem {
	forbidden := map[string]bool{}
	for _, builtin := range ast.CapabilitiesForThisVersion().Builtins {
		forbidden[builtin.Name] = !isPure(builtin)
	}
	var problems []Problem
	for _, module := range modules {
		ast.NewGenericVisitor(func(node any) bool {
			term, ok := node.(*ast.Term)
			if !ok {
				return false
			}
			if ref, isRef := term.Value.(ast.Ref); isRef && forbidden[ref.String()] {
				problems = append(problems, Problem{Code: ProblemForbidden,
					Message: ref.String() + " may not be called: a decision depends on its input alone, not on network, clock, chance or environment"}.at(term.Location))
			}
			return false
		}).Walk(module)
	}
	return inOrder(problems)
}

// entryProblems asks for the rules that the vault evaluates.
func entryProblems(compiler *ast.Compiler) []Problem {
	var problems []Problem
	for _, entry := range []string{decisionQuery, allowQuery, grantsQuery} {
		if len(compiler.GetRules(ast.MustParseRef(entry))) == 0 {
			problems = append(problems, Problem{Code: ProblemEntryPoint, Message: "there has to be a rule " + strings.TrimPrefix(entry, "data.")})
		}
	}
	return problems
}

// undefinedReferences finds what refers to neither a rule nor a table: OPA takes it for data that may come
// later, and a rule that rests on it would silently never hold.
func undefinedReferences(compiler *ast.Compiler, data map[string]any) []Problem {
	var problems []Problem
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			where := rule.Location
			ast.NewGenericVisitor(func(node any) bool {
				term, ok := node.(*ast.Term)
				if !ok {
					return false
				}
				if term.Location != nil && term.Location.Row > 0 {
					where = term.Location
				}
				if ref, isRef := term.Value.(ast.Ref); isRef && !defined(compiler.RuleTree, data, ref) {
					problems = append(problems, Problem{Code: ProblemUndefined, Message: ref.ConstantPrefix().String() + " is neither a rule nor a table"}.at(where))
				}
				return false
			}).Walk(rule)
		}
	}
	return inOrder(problems)
}

// defined follows a reference into the tree of rules as far as it is constant.
func defined(tree *ast.TreeNode, data map[string]any, ref ast.Ref) bool {
	if len(ref) < 2 || !ref.HasPrefix(ast.DefaultRootRef) {
		return true
	}
	name, constant := ref[1].Value.(ast.String)
	if !constant {
		return true
	}
	if _, table := data[string(name)]; table {
		return true
	}
	node := tree.Child(ast.DefaultRootDocument.Value)
	for _, step := range ref[1:] {
		if node == nil || len(node.Values) > 0 {
			break
		}
		if _, constant := step.Value.(ast.String); !constant {
			return true
		}
		node = node.Child(step.Value)
	}
	return node != nil
}

// inputSchemas tells the compiler what input holds: the question of a decision, and that of an authorisation.
// One schema for all modules, because helpers may serve both.
func inputSchemas() (*ast.SchemaSet, error) {
	text, err := schemas.FS.ReadFile("decision-input.schema.json")
	if err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	var schema struct {
		Type       string                    `json:"type"`
		Additional bool                      `json:"additionalProperties"`
		Properties map[string]map[string]any `json:"properties"`
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&schema); err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	text, err = schemas.FS.ReadFile("authz-input.schema.json")
	if err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	decision := schema.Properties
	schema.Properties = nil
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&schema); err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	for name, property := range decision {
		if name == "caller" { // in both; that of authorisation has more fields
			continue
		}
		schema.Properties[name] = property
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, privacy.Internal(err, "write a schema")
	}
	var document any
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, privacy.Internal(err, "read a schema")
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, document)
	return set, nil
}
