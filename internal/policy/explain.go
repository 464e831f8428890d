package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	traceLines = 200
	traceValue = 120 // bytes of one value
)

// Explain decides without remembering and tells which rules held, in the order in which
// they did, one line each with where the rule stands. Rules that a decision asks
// more than once are told once. Long traces are cut.
func (e *Engine) Explain(ctx context.Context, id privacy.RevisionID, input privacy.DecisionInput) (privacy.Outcome, []string, error) {
	ready, err := e.revision(id)
	if err != nil {
		return privacy.Outcome{}, nil, err
	}
	return ready.explain(ctx, input)
}

func (p *prepared) explain(ctx context.Context, input privacy.DecisionInput) (privacy.Outcome, []string, error) {
	tracer := topdown.NewBufferTracer()
	outcome, ok, err := p.ask(ctx, input, rego.EvalQueryTracer(tracer))
	if err != nil {
		return privacy.Outcome{}, nil, err
	}
	if !ok {
		outcome = denyAll(distinct(input.Attributes), privacy.ReasonPolicyError)
	}
	return outcome, ruleTrace(*tracer), nil
}

// ask puts a question without memory, and reports whether the answer is an outcome.
func (p *prepared) ask(ctx context.Context, input privacy.DecisionInput, options ...rego.EvalOption) (privacy.Outcome, bool, error) {
	content, err := CanonicalInput(input)
	if err != nil {
		return privacy.Outcome{}, false, err
	}
	answer, err := run(ctx, p.decision, content, options...)
	if err != nil {
		return privacy.Outcome{}, false, err
	}
	outcome, ok := readOutcome(answer, distinct(input.Attributes))
	return outcome, ok, nil
}

// ruleTrace keeps of OPA's events the exits from rules: a rule is left this way once it
// has held.
func ruleTrace(events []*topdown.Event) []string {
	lines := make([]string, 0, traceLines)
	for _, event := range events {
		rule, isRule := event.Node.(*ast.Rule)
		if event.Op != topdown.ExitOp || !isRule || rule.Module == nil {
			continue
		}
		line := ruleLine(event, rule)
		if slices.Contains(lines, line) {
			continue
		}
		if len(lines) == traceLines {
			return append(lines, "…")
		}
		lines = append(lines, line)
	}
	return lines
}

func ruleLine(event *topdown.Event, rule *ast.Rule) string {
	where := rule.Loc()
	return fmt.Sprintf("%s.%s (%s:%d)", packageName(rule.Module), ruleHead(event, rule), where.File, where.Row)
}

func ruleHead(event *topdown.Event, rule *ast.Rule) string {
	head := rule.Head
	name := head.Reference[0].String()
	if len(head.Args) > 0 {
		name = fmt.Sprintf("%s(%s)", name, joined(event, head.Args))
	} else if len(head.Reference) > 1 {
		name = fmt.Sprintf("%s[%s]", name, joined(event, head.Reference[1:]))
	}
	if head.Key != nil && head.Value == nil {
		return fmt.Sprintf("%s contains %s", name, plugged(event, head.Key))
	}
	if value := plugged(event, head.Value); value != "true" {
		return name + " := " + value
	}
	return name
}

func joined(event *topdown.Event, terms []*ast.Term) string {
	texts := make([]string, len(terms))
	for i, term := range terms {
		texts[i] = plugged(event, term)
	}
	return strings.Join(texts, ", ")
}

// plugged gives a term with the value it had, cut where it is a whole table.
func plugged(event *topdown.Event, term *ast.Term) string {
	text := term.String()
	if event.Locals != nil {
		if value := event.Locals.Get(term.Value); value != nil {
			text = value.String()
		}
	}
	if len(text) > traceValue {
		return strings.ToValidUTF8(text[:traceValue], "") + "…"
	}
	return text
}

func packageName(module *ast.Module) string {
	return module.Package.Path[1:].String()
}
