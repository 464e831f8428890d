package policy

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// ChangeKind says what happened to a thing between two revisions.
type ChangeKind string

// The kinds.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Diff is what differs between two revisions, each list in a fixed order. Sentences tells the same in words.
type Diff struct {
	From        privacy.RevisionID `json:"from"`
	To          privacy.RevisionID `json:"to"`
	Tables      []Change           `json:"tables"`       // purposes, clients, regimes, operations …; all but the matrix
	Matrix      []CellChange       `json:"matrix"`       // attribute × purpose
	Grants      []GrantChange      `json:"grants"`       // with families such as marketing.* spelt out
	Access      []AccessChange     `json:"access"`       // what matrix and grants come to, client by client
	Modules     []ModuleChange     `json:"modules"`      // of the policy
	TestModules []ModuleChange     `json:"test_modules"` // for OPA's tester
	Cases       []NameChange       `json:"cases"`        // of the officer
}

// Change is a difference in a table. A row that is new or gone is one change; one that has changed has a change for each field.
type Change struct {
	Pointer string     `json:"pointer"` // RFC 6901, into the revision's document
	Kind    ChangeKind `json:"kind"`
	Old     any        `json:"old,omitempty"`
	New     any        `json:"new,omitempty"`

	path []string // below data
}

// CellChange is a cell of the matrix that differs; no mode means that there is no such cell.
type CellChange struct {
	Attribute privacy.AttributeName `json:"attribute"`
	Purpose   privacy.PurposeName   `json:"purpose"`
	Old       privacy.Mode          `json:"old,omitempty"`
	New       privacy.Mode          `json:"new,omitempty"`
}

// GrantChange is a purpose that a client may ask for now, or no longer.
type GrantChange struct {
	Client  privacy.ClientID    `json:"client"`
	Purpose privacy.PurposeName `json:"purpose"`
	Kind    ChangeKind          `json:"kind"`
}

// AccessChange is an attribute that a client may see for a purpose in another form than before, as far as matrix and
// grants go; law and consent decide about each person besides. No mode means not at all.
type AccessChange struct {
	Client    privacy.ClientID      `json:"client"`
	Purpose   privacy.PurposeName   `json:"purpose"`
	Attribute privacy.AttributeName `json:"attribute"`
	Old       privacy.Mode          `json:"old,omitempty"`
	New       privacy.Mode          `json:"new,omitempty"`
}

// ModuleChange is a module that differs, and by how many lines.
type ModuleChange struct {
	Name    string     `json:"name"`
	Kind    ChangeKind `json:"kind"`
	Added   int        `json:"lines_added"`
	Removed int        `json:"lines_removed"`
}

// NameChange is a case that differs.
type NameChange struct {
	Name string     `json:"name"`
	Kind ChangeKind `json:"kind"`
}

// Empty reports whether the revisions hold the same.
func (d Diff) Empty() bool {
	return len(d.Tables)+len(d.Matrix)+len(d.Grants)+len(d.Access)+len(d.Modules)+len(d.TestModules)+len(d.Cases) == 0
}

// Compare tells what differs. It reads the tables alone and evaluates nothing, so it works for a draft that does not compile.
func Compare(before, after Revision) Diff {
	was, is := accessOf(before.Data), accessOf(after.Data)
	return Diff{
		From: before.ID, To: after.ID,
		Tables: tableChanges(before.Data, after.Data), Matrix: cellChanges(was.matrix, is.matrix),
		Grants: grantChanges(was, is), Access: accessChanges(was, is),
		Modules:     moduleChanges(before.Modules, after.Modules),
		TestModules: moduleChanges(before.Tests.Modules, after.Tests.Modules),
		Cases:       caseChanges(before.Tests.Cases, after.Tests.Cases),
	}
}

func tableChanges(before, after map[string]any) []Change {
	changes := []Change{}
	for _, table := range bothKeys(before, after) {
		if table == "matrix" {
			continue
		}
		rows, areRows := before[table].(map[string]any)
		others, areOthers := after[table].(map[string]any)
		if !areRows || !areOthers {
			changes = appendChange(changes, before, after, table)
			continue
		}
		for _, row := range bothKeys(rows, others) {
			changes = appendDeep(changes, rows, others, []string{table, row})
		}
	}
	return changes
}

// appendDeep adds the differences below the last step of a path, of which before and after are the parents.
func appendDeep(changes []Change, before, after map[string]any, path []string) []Change {
	step := path[len(path)-1]
	fields, wereFields := before[step].(map[string]any)
	others, areFields := after[step].(map[string]any)
	if !wereFields || !areFields {
		return appendChange(changes, before, after, path...)
	}
	for _, name := range bothKeys(fields, others) {
		changes = appendDeep(changes, fields, others, append(slices.Clone(path), name))
	}
	return changes
}

func appendChange(changes []Change, before, after map[string]any, path ...string) []Change {
	step := path[len(path)-1]
	old, was := before[step]
	now, is := after[step]
	change := Change{Pointer: pointer(append([]string{"data"}, path...)...), Kind: Changed, Old: old, New: now, path: path}
	switch {
	case !was:
		change.Kind = Added
	case !is:
		change.Kind = Removed
	case sameJSON(old, now):
		return changes
	}
	return append(changes, change)
}

func sameJSON(a, b any) bool {
	one, err := canonicalJSON(a)
	two, failed := canonicalJSON(b)
	return err == nil && failed == nil && bytes.Equal(one, two)
}

func bothKeys[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// access is what matrix and grants say: cells by attribute and purpose, purposes by client.
type access struct {
	matrix  map[cell]privacy.Mode
	grants  map[privacy.ClientID]map[privacy.PurposeName]bool
	clients []privacy.ClientID
}

type cell struct {
	attribute privacy.AttributeName
	purpose   privacy.PurposeName
}

func compareCells(a, b cell) int {
	if a.purpose != b.purpose {
		return strings.Compare(string(a.purpose), string(b.purpose))
	}
	return strings.Compare(string(a.attribute), string(b.attribute))
}

func accessOf(data map[string]any) access {
	check := tableCheck{data: data}
	a := access{matrix: map[cell]privacy.Mode{}, grants: map[privacy.ClientID]map[privacy.PurposeName]bool{}}
	for attribute := range check.object("matrix") {
		for purpose, mode := range check.object("matrix", attribute) {
			text, isText := mode.(string)
			if !isText {
				text = "?"
			}
			a.matrix[cell{privacy.AttributeName(attribute), privacy.PurposeName(purpose)}] = privacy.Mode(text)
		}
	}
	for client := range check.object("clients") {
		granted := map[privacy.PurposeName]bool{}
		patterns, _ := check.object("clients", client)["purposes"].([]any)
		for purpose := range check.object("purposes") {
			for _, pattern := range patterns {
				if pattern, _ := pattern.(string); covers(pattern, purpose) {
					granted[privacy.PurposeName(purpose)] = true
				}
			}
		}
		a.grants[privacy.ClientID(client)] = granted
	}
	a.clients = slices.Sorted(maps.Keys(a.grants))
	return a
}

// sees gives the mode in which a client may see an attribute, none when it may not.
func (a access) sees(client privacy.ClientID, at cell) privacy.Mode {
	mode := a.matrix[at]
	if !a.grants[client][at.purpose] || mode == privacy.ModeDeny {
		return ""
	}
	return mode
}

func cellChanges(before, after map[cell]privacy.Mode) []CellChange {
	changes := []CellChange{}
	for _, at := range cells(before, after) {
		if before[at] != after[at] {
			changes = append(changes, CellChange{Attribute: at.attribute, Purpose: at.purpose, Old: before[at], New: after[at]})
		}
	}
	return changes
}

func cells(before, after map[cell]privacy.Mode) []cell {
	all := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.SortFunc(all, compareCells)
	return slices.Compact(all)
}

func clientsOf(before, after access) []privacy.ClientID {
	clients := append(slices.Clone(before.clients), after.clients...)
	slices.Sort(clients)
	return slices.Compact(clients)
}

func grantChanges(before, after access) []GrantChange {
	changes := []GrantChange{}
	for _, client := range clientsOf(before, after) {
		purposes := slices.AppendSeq(slices.Collect(maps.Keys(before.grants[client])), maps.Keys(after.grants[client]))
		slices.Sort(purposes)
		for _, purpose := range slices.Compact(purposes) {
			switch was, is := before.grants[client][purpose], after.grants[client][purpose]; {
			case is && !was:
				changes = append(changes, GrantChange{Client: client, Purpose: purpose, Kind: Added})
			case was && !is:
				changes = append(changes, GrantChange{Client: client, Purpose: purpose, Kind: Removed})
			}
		}
	}
	return changes
}

func accessChanges(before, after access) []AccessChange {
	changes := []AccessChange{}
	all := cells(before.matrix, after.matrix)
	for _, client := range clientsOf(before, after) {
		for _, at := range all {
			if was, is := before.sees(client, at), after.sees(client, at); was != is {
				changes = append(changes, AccessChange{Client: client, Purpose: at.purpose, Attribute: at.attribute, Old: was, New: is})
			}
		}
	}
	return changes
}

func moduleChanges(before, after map[string]string) []ModuleChange {
	changes := []ModuleChange{}
	for _, name := range bothKeys(before, after) {
		old, was := before[name]
		now, is := after[name]
		change := ModuleChange{Name: name, Kind: Changed}
		switch {
		case !was:
			change.Kind = Added
		case !is:
			change.Kind = Removed
		case old == now:
			continue
		}
		change.Added, change.Removed = lineChanges(old, now)
		changes = append(changes, change)
	}
	return changes
}

func caseChanges(before, after []Case) []NameChange {
	byName := func(cases []Case) map[string]any {
		named := map[string]any{}
		for _, c := range cases {
			named[c.Name] = c
		}
		return named
	}
	changes := []NameChange{}
	for _, change := range tableChangesOf(byName(before), byName(after)) {
		changes = append(changes, NameChange{Name: change.path[0], Kind: change.Kind})
	}
	return changes
}

func tableChangesOf(before, after map[string]any) []Change {
	var changes []Change
	for _, name := range bothKeys(before, after) {
		changes = appendChange(changes, before, after, name)
	}
	return changes
}
