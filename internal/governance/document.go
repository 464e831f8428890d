package governance

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// mergePatch applies a JSON merge patch (RFC 7396) to an object, in place.
func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = make(map[string]any, len(patch))
	}
	for name, change := range patch {
		switch change := change.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			object, _ := target[name].(map[string]any)
			target[name] = mergePatch(object, change)
		default:
			target[name] = change
		}
	}
	return target
}

// merge is a three-way merge of trees: what ours changed since base goes onto theirs. Where both changed the
// same place differently, it gives that place instead, and theirs stands. Objects are merged name by name,
// lists of named objects too; everything else is one thing.
type merge struct {
	conflicts []string // JSON pointers
}

func (m *merge) values(at string, base, ours, theirs any) any {
	switch {
	case reflect.DeepEqual(ours, base), reflect.DeepEqual(ours, theirs):
		return theirs
	case reflect.DeepEqual(theirs, base):
		return ours
	}
	if baseMap, oursMap, theirsMap, ok := allObjects(base, ours, theirs); ok {
		return m.objects(at, baseMap, oursMap, theirsMap)
	}
	if baseMap, oursMap, theirsMap, ok := allNamed(base, ours, theirs); ok {
		merged := m.objects(at, baseMap, oursMap, theirsMap)
		list := make([]any, 0, len(merged))
		for _, name := range slices.Sorted(maps.Keys(merged)) {
			list = append(list, merged[name])
		}
		return list
	}
	m.conflicts = append(m.conflicts, at)
	return theirs
}

func (m *merge) objects(at string, base, ours, theirs map[string]any) map[string]any {
	merged := maps.Clone(theirs)
	names := maps.Clone(base)
	maps.Copy(names, ours)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if value := m.values(at+"/"+pointerToken(name), orAbsent(base, name), orAbsent(ours, name), orAbsent(theirs, name)); value == (absent{}) {
			delete(merged, name)
		} else {
			merged[name] = value
		}
	}
	return merged
}

// absent stands for a value that an object does not have.
type absent struct{}

func orAbsent(object map[string]any, name string) any {
	if value, ok := object[name]; ok {
		return value
	}
	return absent{}
}

func allObjects(base, ours, theirs any) (b, o, t map[string]any, ok bool) {
	o, oursOK := ours.(map[string]any)
	t, theirsOK := theirs.(map[string]any)
	b, baseOK := base.(map[string]any)
	if base == (any)(absent{}) {
		b, baseOK = map[string]any{}, true
	}
	return b, o, t, oursOK && theirsOK && baseOK
}

func allNamed(base, ours, theirs any) (b, o, t map[string]any, ok bool) {
	if base == (any)(absent{}) {
		base = []any{}
	}
	b, baseOK := named(base)
	o, oursOK := named(ours)
	t, theirsOK := named(theirs)
	return b, o, t, baseOK && oursOK && theirsOK
}

// named gives a list of objects that each have a name of their own by these names.
func named(list any) (map[string]any, bool) {
	items, ok := list.([]any)
	byName := make(map[string]any, len(items))
	for _, item := range items {
		object, _ := item.(map[string]any)
		name, isText := object["name"].(string)
		if _, twice := byName[name]; !isText || twice {
			return nil, false
		}
		byName[name] = item
	}
	return byName, ok
}

func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// lookUp finds what a JSON pointer points to.
func lookUp(document any, pointer string) (any, bool) {
	if pointer == "" {
		return document, true
	}
	if !strings.HasPrefix(pointer, "/") {
		return nil, false
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch value := document.(type) {
		case map[string]any:
			var ok bool
			if document, ok = value[token]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(value) {
				return nil, false
			}
			document = value[i]
		default:
			return nil, false
		}
	}
	return document, true
}

// vocabulary is the names that a document has, at any depth.
type vocabulary map[string]bool

func newVocabulary(document any) vocabulary {
	words := vocabulary{}
	words.read(document)
	return words
}

func (v vocabulary) read(document any) {
	switch value := document.(type) {
	case map[string]any:
		for name, child := range value {
			v[name] = true
			v.read(child)
		}
	case []any:
		for _, child := range value {
			v.read(child)
		}
	}
}

// place cuts a JSON pointer before the first name that is not in the vocabulary: whoever sent it made that up, and
// errors do not repeat what was sent.
func (v vocabulary) place(pointer string) string {
	known := ""
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		name := strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if index := name != "" && len(name) <= 5 && strings.Trim(name, "0123456789") == ""; !index && !v[name] {
			break
		}
		known += "/" + token
	}
	return known
}

// decodeObject reads a JSON object with its numbers as they are written.
func decodeObject(text json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		return nil, privacy.Invalid("invalid_document", "send a JSON object")
	}
	return object, nil
}
