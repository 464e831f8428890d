package catalogue

import (
	"encoding/json"
	"strconv"
)

const (
	maxInput         = 64 << 10 // bytes of one value, before anything looks at it
	defaultMaxLength = 512      // runes
	maxItems         = 50       // of strings and amounts
	maxItemLength    = 64       // runes
)

// A form is the canonical text of one type: how it is made and how it is rendered.
type form interface {
	fromJSON(raw json.RawMessage, region string) (string, bool)
	fromText(text, region string) (string, bool)
	appendJSON(dst []byte, text string) ([]byte, bool)
	expects() string // completes "must be …"
}

func newForm(a *Attribute, codes countries) (form, error) {
	if a.Type == TypeString {
		n, err := newStringForm(a.Normaliser, a.MaxLength, codes)
		if err != nil {
			return nil, invalidCatalogue("attribute %s: %w", a.Name, err)
		}
		return n, nil
	}
	if string(a.Normaliser) != string(a.Type) {
		return nil, invalidCatalogue("attribute %s: a value of type %s has the normaliser %s", a.Name, a.Type, a.Type)
	}
	switch a.Type {
	case TypeInteger:
		return newNumberForm(0, "a whole number", a.Minimum, a.Maximum), nil
	case TypeMoney:
		return newNumberForm(2, "an amount with at most 13 digits and 2 decimals", a.Minimum, a.Maximum), nil
	case TypeDecimal:
		return newNumberForm(anyFraction, "a decimal number of at most 15 digits", a.Minimum, a.Maximum), nil
	case TypeYear:
		return newNumberForm(0, "a year", orDefault(a.Minimum, minYear), orDefault(a.Maximum, maxYear)), nil
	case TypeBoolean:
		return boolForm{}, nil
	case TypeDate:
		return stringForm{clean: cleanDate, what: "a date as YYYY-MM-DD"}, nil
	case TypeEnum:
		return newEnumForm(a)
	case TypeStrings:
		return listForm{}, nil
	case TypeAmounts:
		return newAmountsForm(a)
	default:
		return nil, invalidCatalogue("attribute %s: unknown type", a.Name)
	}
}

func orDefault(given *float64, otherwise float64) *float64 {
	if given != nil {
		return given
	}
	return &otherwise
}

// stringForm holds every type that is a string in JSON; clean makes the canonical text.
type stringForm struct {
	clean func(text, region string) (string, bool)
	what  string
}

func (f stringForm) fromJSON(raw json.RawMessage, region string) (string, bool) {
	text, ok := jsonString(raw)
	if !ok {
		return "", false
	}
	return f.clean(text, region)
}

func (f stringForm) fromText(text, region string) (string, bool) { return f.clean(text, region) }

func (f stringForm) appendJSON(dst []byte, text string) ([]byte, bool) {
	return AppendString(dst, text), true
}

func (f stringForm) expects() string { return f.what }

type boolForm struct{}

func (boolForm) fromJSON(raw json.RawMessage, _ string) (string, bool) {
	var value bool
	if raw = trimJSON(raw); len(raw) == 0 || raw[0] == 'n' || json.Unmarshal(raw, &value) != nil {
		return "", false
	}
	return strconv.FormatBool(value), true
}

func (boolForm) fromText(text, _ string) (string, bool) {
	switch text, _ := cleanText(text, 8); fold(text) {
	case "true", "yes", "y", "1", "是":
		return "true", true
	case "false", "no", "n", "0", "否":
		return "false", true
	default:
		return "", false
	}
}

func (boolForm) appendJSON(dst []byte, text string) ([]byte, bool) {
	return append(dst, text...), text == "true" || text == "false"
}

func (boolForm) expects() string { return "true or false" }

// jsonString decodes a JSON string and nothing else. Lone surrogates come out of the
// decoder as U+FFFD, which the cleaning rejects as it does broken UTF-8.
func jsonString(raw json.RawMessage) (string, bool) {
	raw = trimJSON(raw)
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if inner := raw[1 : len(raw)-1]; raw[len(raw)-1] == '"' && isLiteral(inner) {
		return string(inner), true
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}

// isLiteral reports whether the inside of a JSON string stands for itself.
func isLiteral(inner []byte) bool {
	for _, b := range inner {
		if b < 0x20 || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

func trimJSON(raw json.RawMessage) json.RawMessage {
	for len(raw) > 0 && isJSONSpace(raw[0]) {
		raw = raw[1:]
	}
	for len(raw) > 0 && isJSONSpace(raw[len(raw)-1]) {
		raw = raw[:len(raw)-1]
	}
	return raw
}

func isJSONSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }
