package policy

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/consentry/consentry/internal/privacy"
)

// Reach tells which questions a change of policy can reach. It is worked out from the rules alone: the references
// that the decision makes to the tables, against the places where the tables differ. What it says is
// not reached comes out the same under both revisions, for every subject; what it says is reached may.
type Reach struct {
	everything bool
	changed    [][]string // paths in the data
	reads      []dataRead
}

// dataRead is a reference to the data, element by element.
type dataRead []readElement

// readElement is a name, or one of the caller's client and the purpose, or else anything.
type readElement struct {
	kind elementKind
	name string
}

type elementKind uint8

const (
	elementAny elementKind = iota
	elementName
	elementClient
	elementPurpose
)

// ReachOf compares two revisions. Those whose modules differ reach everything.
func ReachOf(before, after Revision) (Reach, error) {
	if before.ID == after.ID {
		return Reach{}, nil
	}
	if !maps.Equal(before.Modules, after.Modules) {
		return Reach{everything: true}, nil
	}
	if before.Data[modulesRoot] != nil || after.Data[modulesRoot] != nil {
		return Reach{everything: true}, nil
	}
	reach := Reach{changed: differences(nil, before.Data, after.Data)}
	compiler, err := compile(before.Modules)
	if err != nil {
		return Reach{}, invalidPolicy(err)
	}
	rules := decisionRules(compiler)
	for name, source := range before.Modules {
		// The compiler takes references apart, so they are read from what it was given.
		module, err := ast.ParseModuleWithOpts(name, source, ast.ParserOptions{Capabilities: pureCapabilities(), RegoVersion: ast.RegoV1})
		if err != nil {
			return Reach{}, invalidPolicy(err)
		}
		if !reach.module(module, rules) {
			return Reach{everything: true}, nil
		}
	}
	return reach, nil
}

// Touches reports whether decisions for a client and a purpose can come out differently.
func (r Reach) Touches(client privacy.ClientID, purpose privacy.PurposeName) bool {
	if r.everything {
		return true
	}
	for _, read := range r.reads {
		for _, path := range r.changed {
			if read.meets(path, client, purpose) {
				return true
			}
		}
	}
	return false
}

// meets reports whether a reference and a path can lead to one place, or one of them through the other.
func (r dataRead) meets(path []string, client privacy.ClientID, purpose privacy.PurposeName) bool {
	for i := range min(len(r), len(path)) {
		switch r[i].kind {
		case elementName:
			if r[i].name != path[i] {
				return false
			}
		case elementClient:
			if string(client) != path[i] {
				return false
			}
		case elementPurpose:
			if string(purpose) != path[i] {
				return false
			}
		}
	}
	return true
}

// decisionRules are the places of the rules that the decision can ask.
func decisionRules(compiler *ast.Compiler) map[string]bool {
	places := make(map[string]bool)
	waiting := compiler.GetRules(ast.MustParseRef(decisionQuery))
	for len(waiting) > 0 {
		rule := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if places[placeOf(rule)] {
			continue
		}
		places[placeOf(rule)] = true
		for next := range compiler.Graph.Dependencies(rule) {
			if found, ok := next.(*ast.Rule); ok {
				waiting = append(waiting, found)
			}
		}
	}
	return places
}

func placeOf(rule *ast.Rule) string {
	at := rule.Loc()
	return at.File + ":" + strconv.Itoa(at.Row) + ":" + strconv.Itoa(at.Col)
}

// module collects what the rules of a module read. It reports false for what cannot be followed: a
// rule that replaces data or input.
func (r *Reach) module(module *ast.Module, rules map[string]bool) bool {
	for _, imported := range module.Imports {
		if path, ok := imported.Path.Value.(ast.Ref); ok {
			r.read(path)
		}
	}
	for _, rule := range module.Rules {
		if !rules[placeOf(rule)] && !elseIn(rule, rules) {
			continue
		}
		followed := true
		ast.WalkWiths(rule, func(*ast.With) bool { followed = false; return true })
		if !followed {
			return false
		}
		ast.WalkRefs(rule, func(ref ast.Ref) bool { r.read(ref); return false })
	}
	return true
}

func elseIn(rule *ast.Rule, rules map[string]bool) bool {
	for rule = rule.Else; rule != nil; rule = rule.Else {
		if rules[placeOf(rule)] {
			return true
		}
	}
	return false
}

// modulesRoot is where the rules themselves stand under data.
const modulesRoot = "consentry"

func (r *Reach) read(ref ast.Ref) {
	if !ref[0].Equal(ast.DefaultRootDocument) {
		return
	}
	read := make(dataRead, 0, len(ref)-1)
	for _, term := range ref[1:] {
		read = append(read, elementOf(term))
	}
	if len(read) > 0 && read[0] == (readElement{elementName, modulesRoot}) {
		return
	}
	r.reads = append(r.reads, read)
}

var (
	inputClient  = ast.MustParseRef("input.caller.client")
	inputPurpose = ast.MustParseRef("input.purpose")
)

func elementOf(term *ast.Term) readElement {
	switch value := term.Value.(type) {
	case ast.String:
		return readElement{elementName, string(value)}
	case ast.Ref:
		if value.Equal(inputClient) {
			return readElement{kind: elementClient}
		}
		if value.Equal(inputPurpose) {
			return readElement{kind: elementPurpose}
		}
	}
	return readElement{}
}

// differences gives the paths at which two documents differ, as far down as both hold objects.
func differences(path []string, before, after any) [][]string {
	a, first := before.(map[string]any)
	b, second := after.(map[string]any)
	// A row that came or went is the sum of its columns, unless it has none: who reads the row as a whole
	// meets each of them.
	descend := first && second || first && after == nil && len(a) > 0 || second && before == nil && len(b) > 0
	if !descend {
		if reflect.DeepEqual(before, after) {
			return nil
		}
		return [][]string{slices.Clone(path)} // a null is not told from nothing, so it counts as different
	}
	var found [][]string
	for name := range a {
		found = append(found, differences(append(path, name), a[name], b[name])...)
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			found = append(found, differences(append(path, name), nil, b[name])...)
		}
	}
	return found
}
