package segment

import (
	"encoding/json"
	"slices"
	"strings"
)

// Canonical gives the one form of all the ways to write a question: lists sorted and without repeats, nothing nested that need not be,
// intervals spelt out. Two predicates of one canonical form describe the same people. A predicate that can
// describe nobody is an error, since it is surely not what was meant.
func (p Predicate) Canonical(facets Facets) (Predicate, error) {
	if err := p.Check(facets); err != nil {
		return Predicate{}, err
	}
	return p.canonical(facets)
}

func (p Predicate) canonical(facets Facets) (Predicate, error) {
	switch p.Op {
	case OpEq, OpIn:
		return in(p.Facet, p.Values), nil
	case OpBetween:
		return in(p.Facet, facets.between(&p)), nil
	case OpExists:
		return p, nil
	case OpNot:
		inner, err := p.Of[0].canonical(facets)
		if err == nil && inner.Op == OpNot {
			return inner.Of[0], nil
		}
		return Predicate{Op: OpNot, Of: []Predicate{inner}}, err
	}
	var members []Predicate
	for _, member := range p.Of {
		inner, err := member.canonical(facets)
		if err != nil {
			return Predicate{}, err
		}
		if inner.Op == p.Op {
			members = append(members, inner.Of...)
		} else {
			members = append(members, inner)
		}
	}
	members, err := merged(p.Op, members)
	if err != nil || len(members) == 1 {
		return append(members, Predicate{})[0], err
	}
	return Predicate{Op: p.Op, Of: members}, nil
}

func in(facet FacetName, values []string) Predicate {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return Predicate{Op: OpIn, Facet: facet, Values: slices.Compact(sorted)}
}

// merged brings what is said of one facet together, and everything into order.
func merged(op Operator, members []Predicate) ([]Predicate, error) {
	var kept []Predicate
	for _, member := range members {
		i := -1
		if member.Op == OpIn {
			i = slices.IndexFunc(kept, func(k Predicate) bool { return k.Op == OpIn && k.Facet == member.Facet })
		}
		switch {
		case i < 0:
			kept = append(kept, member)
		case op == OpAny:
			kept[i] = in(member.Facet, append(slices.Clone(kept[i].Values), member.Values...))
		default:
			kept[i] = in(member.Facet, slices.DeleteFunc(slices.Clone(kept[i].Values), func(v string) bool { return !slices.Contains(member.Values, v) }))
			if len(kept[i].Values) == 0 {
				return nil, errContradiction
			}
		}
	}
	texts := make(map[string]Predicate, len(kept))
	for _, member := range kept {
		texts[member.text()] = member
	}
	names := make([]string, 0, len(texts))
	for text, member := range texts {
		if member.Op == OpNot && op == OpAll {
			if _, both := texts[member.Of[0].text()]; both {
				return nil, errContradiction
			}
		}
		names = append(names, text)
	}
	slices.SortFunc(names, strings.Compare)
	sorted := make([]Predicate, len(names))
	for i, name := range names {
		sorted[i] = texts[name]
	}
	return sorted, nil
}

func (p Predicate) text() string {
	text, _ := json.Marshal(p) // names and texts: it always encodes
	return string(text)
}
