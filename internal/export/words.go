package export

import (
	_ "embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Languages are those that files are written in, the one for everybody else first.
func Languages() []string { return []string{"en", "zh"} }

// Language gives the one of [Languages] that serves a BCP 47 tag best.
func Language(tag string) string {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	for _, language := range Languages() {
		if language == primary {
			return language
		}
	}
	return Languages()[0]
}

// words.json has what the page says: by language, texts by their place, titles of columns, names put into words, and how rules
// make one value from others.
//
//go:embed words.json
var wordsText []byte

type dictionary struct {
	Texts   map[string]string `json:"texts"`
	Columns map[string]string `json:"columns"`
	Names   map[string]string `json:"names"`
	Rules   map[string]string `json:"rules"`
}

func wordsIn(language string) dictionary {
	var all map[string]dictionary
	_ = json.Unmarshal(wordsText, &all) // embedded, and read by a test
	return all[Language(language)]
}

// words says things in one language.
type words struct {
	dictionary
	attributes map[privacy.AttributeName]string // their titles
}

func (w *words) text(place string) string { return w.Texts[place] }

// title is what a column is called.
func (w *words) title(column string) string {
	if title, ok := w.Columns[column]; ok {
		return title
	}
	return column
}

// of puts a name into words, or leaves it as it is.
func (w *words) of(name string) string {
	if said, ok := w.Names[name]; ok {
		return said
	}
	return name
}

func (w *words) attribute(name privacy.AttributeName) string {
	if title, ok := w.attributes[name]; ok {
		return title
	}
	return string(name)
}

func (w *words) day(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}

// value says a value: of a list its entries, of amounts each of them.
func (w *words) value(value json.RawMessage) string {
	var list []string
	if json.Unmarshal(value, &list) == nil {
		return strings.Join(list, "; ")
	}
	var flag bool
	if json.Unmarshal(value, &flag) == nil {
		return w.of(plain(value))
	}
	return plain(value)
}

// Derivation says in plain words how a rule makes a value from those with the given titles.
func Derivation(language, rule string, titles []string) string {
	said := wordsIn(language)
	separator := ", "
	if Language(language) == "zh" {
		separator = "、"
	}
	text, ok := said.Rules[rule]
	if !ok {
		text = said.Rules["other"]
	}
	return strings.ReplaceAll(text, "{from}", strings.Join(titles, separator))
}
