package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// pureFamilies are the built-ins a policy may call, by the part of the name before the
// first dot, or the whole name. A built-in that an upgrade of OPA brings is not
// here, and so is refused until somebody has looked at it.
//
// Missing on purpose: http, net, opa, providers, rand and uuid (network, environment,
// randomness); time, io (tokens are checked against the clock) and crypto (so are certificates);
// trace and print (effects); graphql and semver (nothing here needs them).
var pureFamilies = []string{
	"abs", "all", "and", "any", "array", "assign", "base64", "base64url", "bits", "ceil", "concat", "contains", "count",
	"div", "endswith", "eq", "equal", "floor", "format_int", "glob", "graph", "gt", "gte", "hex", "indexof", "indexof_n",
	"intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "json",
	"lower", "lt", "lte", "max", "min", "minus", "mul", "neq", "numbers", "object", "or", "plus", "product",
	"regex", "rem", "replace", "round", "sort", "split", "sprintf", "startswith", "strings", "substring", "sum",
	"to_number", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
	"union", "units", "upper", "walk",
}

// pureInternals are what the compiler turns "in" and string templates into.
var pureInternals = []string{"internal.member_2", "internal.member_3", "internal.template_string"}

// pureCapabilities are OPA's own, less everything that could make two evaluations of the
// same input differ.
func pureCapabilities() *ast.Capabilities {
	capabilities := ast.CapabilitiesForThisVersion()
	capabilities.Builtins = slices.DeleteFunc(capabilities.Builtins, func(builtin *ast.Builtin) bool {
		return !isPure(builtin)
	})
	capabilities.AllowNet = []string{}
	return capabilities
}

func isPure(builtin *ast.Builtin) bool {
	if builtin.IsNondeterministic() {
		return false
	}
	family, _, _ := strings.Cut(builtin.Name, ".")
	return slices.Contains(pureFamilies, family) || slices.Contains(pureInternals, builtin.Name)
}
