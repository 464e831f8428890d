package catalogue

import "strings"

// newEnumForm reads a value regardless of case, or by one of its synonyms.
func newEnumForm(a *Attribute) (form, error) {
	known := map[string]string{}
	var names []string
	for _, v := range a.Values {
		names = append(names, v.Value)
		for _, spelling := range append([]string{v.Value}, v.Synonyms...) {
			clean, ok := cleanText(spelling, maxItemLength)
			key := fold(clean)
			if !ok || known[key] != "" && known[key] != v.Value {
				return nil, invalidCatalogue("attribute %s: a spelling of %s is empty or means two values", a.Name, v.Value)
			}
			known[key] = v.Value
		}
	}
	if len(names) == 0 {
		return nil, invalidCatalogue("attribute %s: an enum has values", a.Name)
	}
	return stringForm{
		what: "one of " + strings.Join(names, ", "),
		clean: func(text, _ string) (string, bool) {
			text, ok := cleanText(text, maxItemLength)
			if !ok {
				return "", false
			}
			value, ok := known[fold(text)]
			return value, ok
		},
	}, nil
}
