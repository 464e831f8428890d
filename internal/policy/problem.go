package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ProblemCode says what sort of problem it is.
type ProblemCode string

// The codes.
const (
	ProblemSyntax        ProblemCode = "syntax"            // the module does not parse
	ProblemCompile       ProblemCode = "compile"           // unused or unsafe variables, conflicts and the like
	ProblemType          ProblemCode = "type"              // types that do not fit, input fields that there are not
	ProblemRecursion     ProblemCode = "recursion"         // a rule that rests on itself
	ProblemForbidden     ProblemCode = "forbidden_builtin" // network, clock, chance or environment
	ProblemUndefined     ProblemCode = "undefined_reference"
	ProblemEntryPoint    ProblemCode = "missing_entry_point"
	ProblemShape         ProblemCode = "wrong_shape"  // an answer that is no decision
	ProblemFailsClosed   ProblemCode = "fails_closed" // a decision that is policy_error for a sound question
	ProblemTable         ProblemCode = "invalid_table"
	ProblemCase          ProblemCode = "invalid_case"
	ProblemFileName      ProblemCode = "invalid_file_name"
	ProblemTooLarge      ProblemCode = "too_large"
	ProblemTooExpensive  ProblemCode = "too_expensive"
	problemsOfOneModule              = 50
	problemsOfOneKind                = 50
	problemMessageLength             = 500
)

// Problem is one thing that is wrong with a revision, and where: in a module by file, line and column (both from
// 1), in a table or case by JSON pointer into the revision's document.
type Problem struct {
	Code    ProblemCode `json:"code"`
	File    string      `json:"file,omitempty"`
	Line    int         `json:"line,omitempty"`
	Column  int         `json:"column,omitempty"`
	Pointer string      `json:"pointer,omitempty"` // RFC 6901
	Message string      `json:"message"`
}

// String writes the problem as compilers do.
func (p Problem) String() string {
	switch {
	case p.File != "":
		return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Code, p.Message)
	case p.Pointer != "":
		return fmt.Sprintf("%s: %s: %s", p.Pointer, p.Code, p.Message)
	default:
		return fmt.Sprintf("%s: %s", p.Code, p.Message)
	}
}

// pointer makes a JSON pointer.
func pointer(tokens ...string) string {
	var path strings.Builder
	for _, token := range tokens {
		path.WriteByte('/')
		path.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
	}
	return path.String()
}

// compilerProblems turns what OPA's parser and compiler say into problems, in the order of the files.
func compilerProblems(err error) []Problem {
	var several ast.Errors
	var one *ast.Error
	switch {
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = ast.Errors{one}
	default:
		return []Problem{{Code: ProblemCompile, Message: "the module does not compile"}}
	}
	codes := map[string]ProblemCode{ast.ParseErr: ProblemSyntax, ast.TypeErr: ProblemType, ast.RecursionErr: ProblemRecursion}
	problems := make([]Problem, 0, len(several))
	for _, e := range several {
		problem := Problem{Code: ProblemCompile, Message: e.Message}
		if code, ok := codes[e.Code]; ok {
			problem.Code = code
		}
		if e.Details != nil {
			problem.Message += ": " + strings.Join(strings.Fields(strings.Join(e.Details.Lines(), " ")), " ")
		}
		if len(problem.Message) > problemMessageLength {
			problem.Message = strings.ToValidUTF8(problem.Message[:problemMessageLength], "") + "…"
		}
		problems = append(problems, problem.at(e.Location))
	}
	return inOrder(problems)
}

func (p Problem) at(where *ast.Location) Problem {
	if where != nil {
		p.File, p.Line, p.Column = where.File, where.Row, max(where.Col, 1) // the end of a file has column 0
	}
	return p
}

// inOrder sorts by place and drops repeats.
func inOrder(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Pointer, b.Pointer), strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}
