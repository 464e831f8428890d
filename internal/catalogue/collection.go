package catalogue

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// listForm holds a set of short texts as a JSON array, sorted by bytes and distinct.
type listForm struct{}

func (listForm) fromJSON(raw json.RawMessage, _ string) (string, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if !open(decoder, '[') {
		return "", false
	}
	var items []string
	for decoder.More() {
		token, err := decoder.Token() // token by token: nesting and surplus stop it early
		item, isString := token.(string)
		if err != nil || !isString || len(items) == maxItems {
			return "", false
		}
		items = append(items, item)
	}
	if !closed(decoder) {
		return "", false
	}
	return writeList(items)
}

// fromText splits at the separators that tables use. A text that starts with a bracket
// is read as JSON.
func (f listForm) fromText(text, region string) (string, bool) {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		return f.fromJSON(json.RawMessage(text), region)
	}
	items := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(";|,、，；", r) })
	items = slices.DeleteFunc(items, func(item string) bool { return strings.TrimSpace(item) == "" })
	if len(items) == 0 || len(items) > maxItems {
		return "", false
	}
	return writeList(items)
}

func (listForm) appendJSON(dst []byte, text string) ([]byte, bool) {
	return append(dst, text...), strings.HasPrefix(text, "[") && json.Valid([]byte(text))
}

func (listForm) expects() string {
	return "a list of at most 50 texts of 1 to 64 characters"
}

func writeList(items []string) (string, bool) {
	for i, item := range items {
		clean, ok := cleanText(item, maxItemLength)
		if !ok {
			return "", false
		}
		items[i] = clean
	}
	slices.Sort(items)
	out := []byte{'['}
	for i, item := range slices.Compact(items) {
		if i > 0 {
			out = append(out, ',')
		}
		out = AppendString(out, item)
	}
	return string(append(out, ']')), true
}

// amountsForm holds numbers by name as a JSON object, keys sorted by bytes.
type amountsForm struct{ unit numberForm }

func newAmountsForm(a *Attribute) (form, error) {
	switch a.Unit {
	case TypeMoney:
		return amountsForm{newNumberForm(2, "amounts with at most 2 decimals", a.Minimum, a.Maximum)}, nil
	case TypeInteger:
		return amountsForm{newNumberForm(0, "whole numbers", a.Minimum, a.Maximum)}, nil
	default:
		return nil, invalidCatalogue("attribute %s: amounts have the unit money or integer", a.Name)
	}
}

func (f amountsForm) fromJSON(raw json.RawMessage, _ string) (string, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if !open(decoder, '{') {
		return "", false
	}
	amounts := map[string]string{}
	for decoder.More() {
		token, err := decoder.Token()
		key, isString := token.(string)
		if err != nil || !isString {
			return "", false
		}
		key, ok := cleanText(key, maxItemLength)
		if _, again := amounts[key]; !ok || again || len(amounts) == maxItems {
			return "", false
		}
		token, err = decoder.Token()
		number, isNumber := token.(json.Number)
		if err != nil || !isNumber {
			return "", false
		}
		if amounts[key], ok = f.unit.canonical(number.String()); !ok {
			return "", false
		}
	}
	return writeAmounts(amounts), closed(decoder)
}

// fromText reads JSON: no table has a common way to write amounts into one cell.
func (f amountsForm) fromText(text, region string) (string, bool) {
	return f.fromJSON(json.RawMessage(text), region)
}

func (amountsForm) appendJSON(dst []byte, text string) ([]byte, bool) {
	return append(dst, text...), strings.HasPrefix(text, "{") && json.Valid([]byte(text))
}

func (f amountsForm) expects() string {
	return "an object of at most 50 names, each with one of the " + f.unit.what
}

func writeAmounts(amounts map[string]string) string {
	keys := make([]string, 0, len(amounts))
	for key := range amounts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := []byte{'{'}
	for i, key := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(AppendString(out, key), ':')
		out = append(out, amounts[key]...)
	}
	return string(append(out, '}'))
}

func open(decoder *json.Decoder, delimiter json.Delim) bool {
	token, err := decoder.Token()
	return err == nil && token == delimiter
}

// closed takes the closing bracket and makes sure that nothing follows it.
func closed(decoder *json.Decoder) bool {
	if _, err := decoder.Token(); err != nil {
		return false
	}
	_, err := decoder.Token()
	return err != nil && err.Error() == "EOF"
}
