package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/privacy"
)

// shownValue is how long a value of a table may be to stand in a sentence, in characters.
const shownValue = 80

// Sentences tells the difference in words that an officer reads, in English ("en") or Chinese ("zh"), always in the
// same order: first who may see what, then what it rests on, then modules and tests.
func (d Diff) Sentences(lang string) []string {
	t := teller{phrases: phrasesIn(lang), diff: d}
	t.grants()
	t.access()
	t.cells()
	t.tables()
	t.modules("module.", d.Modules)
	t.modules("tests.", d.TestModules)
	for _, change := range d.Cases {
		t.tell(phrase("case."+change.Kind), change.Name)
	}
	return t.out
}

type teller struct {
	phrases
	diff Diff
	out  []string
}

func (t *teller) tell(name phrase, args ...any) { t.out = append(t.out, t.say(name, args...)) }

// grants tells of purposes that a client gained or lost, each with what it sees for it.
func (t *teller) grants() {
	for _, grant := range t.diff.Grants {
		t.tell(phrase("grant."+grant.Kind), grant.Client, grant.Purpose, t.seen(grant))
	}
}

func (t *teller) seen(grant GrantChange) string {
	var parts []string
	for _, mode := range []privacy.Mode{privacy.ModePlain, privacy.ModeGeneralise, privacy.ModeMask, privacy.ModeTokenise, privacy.ModeAggregate, "?"} {
		var names []string
		for _, change := range t.diff.Access {
			if change.Client == grant.Client && change.Purpose == grant.Purpose && (change.New == mode || change.Old == mode) {
				names = append(names, "`"+string(change.Attribute)+"`")
			}
		}
		if len(names) > 0 {
			parts = append(parts, strings.Join(names, t.phrases["list"])+" "+t.mode(mode))
		}
	}
	if len(parts) == 0 {
		return t.phrases["nothing"]
	}
	return strings.Join(parts, t.phrases["list"])
}

func (t *teller) granted(client privacy.ClientID, purpose privacy.PurposeName) bool {
	return !slices.ContainsFunc(t.diff.Grants, func(g GrantChange) bool { return g.Client == client && g.Purpose == purpose })
}

// access tells of attributes that a client sees otherwise than before, for a purpose it could and can ask for.
func (t *teller) access() {
	for _, change := range t.diff.Access {
		if !t.granted(change.Client, change.Purpose) {
			continue // told with the grant
		}
		name := phrase("access.changed")
		switch {
		case change.New == "":
			name = "access.lost"
		case change.Old == "":
			name = "access.gained"
		}
		t.tell(name, change.Client, change.Attribute, t.mode(change.Old), change.Purpose, t.mode(change.New))
	}
}

// cells tells of cells of the matrix that no sentence about a client has told of.
func (t *teller) cells() {
	for _, change := range t.diff.Matrix {
		told := slices.ContainsFunc(t.diff.Access, func(a AccessChange) bool { return a.Attribute == change.Attribute && a.Purpose == change.Purpose })
		if told || t.gone(change.Purpose) {
			continue
		}
		name := phrase("cell.idle")
		if t.mode(change.Old) == t.mode(change.New) {
			name = "cell.same"
		}
		t.tell(name, change.Attribute, change.Purpose, t.mode(change.Old), t.mode(change.New))
	}
}

func (t *teller) gone(purpose privacy.PurposeName) bool {
	return slices.ContainsFunc(t.diff.Tables, func(c Change) bool {
		return c.Kind == Removed && slices.Equal(c.path, []string{"purposes", string(purpose)})
	})
}

func (t *teller) tables() {
	for _, change := range t.diff.Tables {
		switch {
		case len(change.path) == 1:
			t.tell(phrase("table.whole."+change.Kind), change.path[0])
		case change.path[0] == "purposes":
			t.purpose(change)
		case change.path[0] == "clients":
			t.client(change)
		case change.path[0] == "regimes":
			t.regime(change)
		case change.path[0] == "operations":
			t.operation(change)
		case change.path[0] == "attributes" && len(change.path) == 2 && change.Kind != Changed:
			t.tell(phrase("attribute."+change.Kind), change.path[1])
		default:
			t.field(change, t.table(change.path[0]), change.path[1], change.path[2:])
		}
	}
}

func (t *teller) table(name string) string {
	if text, known := t.phrases[phrase("table."+name)]; known {
		return text
	}
	return t.say("table.other", name)
}

func (t *teller) purpose(change Change) {
	name, rest := change.path[1], change.path[2:]
	if len(rest) == 0 && change.Kind != Changed {
		t.tell(phrase("purpose."+change.Kind), name)
		return
	}
	field := ""
	if len(rest) > 0 {
		field = rest[0]
	}
	_, flag := t.phrases[phrase("flag."+field)]
	on, isOn := change.New.(bool)
	off, isOff := change.Old.(bool)
	switch {
	case field == "minimum_notice_version" && change.Kind == Changed:
		kind := phrase("purpose.notice.lowered")
		if number(change.New) > number(change.Old) {
			kind = "purpose.notice.raised"
		}
		t.tell(kind, name, t.value(change.Old), t.value(change.New))
	case field == "basis" && len(rest) == 2:
		kind := map[ChangeKind]phrase{Added: "purpose.basis.added", Removed: "purpose.basis.removed", Changed: "purpose.basis"}[change.Kind]
		t.tell(kind, name, rest[1], t.value(change.Old), t.value(change.New))
	case flag && isOn && on:
		t.tell("purpose.flag.on", name, t.phrases[phrase("flag."+field)])
	case flag && isOff && off && !on:
		t.tell("purpose.flag.off", name, t.phrases[phrase("flag."+field)])
	default:
		t.field(change, t.phrases["table.purposes"], name, rest)
	}
}

func (t *teller) client(change Change) {
	name, rest := change.path[1], change.path[2:]
	switch {
	case len(rest) == 0 && change.Kind != Changed:
		t.tell(phrase("client."+change.Kind), name)
	case len(rest) == 1 && rest[0] == "purposes":
		if !slices.ContainsFunc(t.diff.Grants, func(g GrantChange) bool { return string(g.Client) == name }) {
			t.tell("grant.same", name)
		}
	default:
		t.field(change, t.phrases["table.clients"], name, rest)
	}
}

func (t *teller) regime(change Change) {
	part, rest := change.path[1], change.path[2:]
	places := map[ChangeKind]phrase{Added: "place.added", Removed: "place.removed", Changed: "place"}
	before, wasText := change.Old.(string)
	after, isText := change.New.(string)
	switch {
	case part == "countries" && len(rest) == 1 && (wasText || isText):
		t.tell(places[change.Kind], rest[0], before, after)
	case part == "regions" && len(rest) == 2 && (wasText || isText):
		t.tell(places[change.Kind], rest[0]+"-"+rest[1], before, after)
	case part == "laws" && len(rest) == 1 && change.Kind != Changed:
		t.tell(phrase("law."+change.Kind), rest[0])
	case part == "laws" && len(rest) > 0:
		t.field(change, t.phrases["table.laws"], rest[0], rest[1:])
	default:
		t.field(change, t.phrases["table.regimes"], part, rest)
	}
}

// operation tells who may call something now, or no longer.
func (t *teller) operation(change Change) {
	name, rest, told := change.path[1], change.path[2:], len(t.out)
	switch {
	case len(rest) == 0:
		before, _ := change.Old.(map[string]any)
		after, _ := change.New.(map[string]any)
		t.roles(name, before["roles"], after["roles"])
		t.own(name, before["own"], after["own"])
	case rest[0] == "roles":
		t.roles(name, change.Old, change.New)
	case rest[0] == "own":
		t.own(name, change.Old, change.New)
	}
	if len(t.out) == told {
		t.field(change, t.phrases["table.operations"], name, rest)
	}
}

func (t *teller) roles(operation string, before, after any) {
	was, is := texts(before), texts(after)
	for _, role := range privacy.Roles() {
		switch name := string(role); {
		case slices.Contains(is, name) && !slices.Contains(was, name):
			t.tell("role.added", name, operation)
		case slices.Contains(was, name) && !slices.Contains(is, name):
			t.tell("role.removed", name, operation)
		}
	}
}

func (t *teller) own(operation string, before, after any) {
	switch {
	case after == true && before != true:
		t.tell("own.added", operation)
	case before == true && after != true:
		t.tell("own.removed", operation)
	}
}

func texts(list any) []string {
	var out []string
	items, _ := list.([]any)
	for _, item := range items {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// field tells of a field of which there is nothing better to say.
func (t *teller) field(change Change, table, row string, rest []string) {
	if len(rest) == 0 {
		t.tell(phrase("row."+change.Kind), table, row)
		return
	}
	t.tell(phrase("field."+change.Kind), table, row, strings.Join(rest, "/"), t.value(change.Old), t.value(change.New))
}

// value writes a value of a table, unless it is too long for a sentence.
func (t *teller) value(value any) string {
	switch v := value.(type) {
	case bool:
		if v {
			return t.phrases["yes"]
		}
		return t.phrases["no"]
	case nil:
		return t.phrases["nothing"]
	case string:
		if v != "" && utf8.RuneCountInString(v) <= shownValue {
			return "`" + strings.ReplaceAll(v, "`", "'") + "`"
		}
	case fmt.Stringer: // json.Number
		return v.String()
	}
	text, err := canonicalJSON(value)
	if err != nil || utf8.RuneCount(text) > shownValue {
		return t.phrases["long"]
	}
	return string(text)
}

func number(value any) float64 {
	if n, ok := value.(interface{ Float64() (float64, error) }); ok {
		f, _ := n.Float64()
		return f
	}
	return 0
}

func (t *teller) modules(prefix phrase, changes []ModuleChange) {
	for _, change := range changes {
		t.tell(prefix+phrase(change.Kind), change.Name, change.Added, change.Removed)
	}
}
