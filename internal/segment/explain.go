package segment

import "strings"

// phrases are how a language says what a predicate means.
type phrases struct {
	and, or, not, open, shut string
	list, lastOf             string // between the values of a list, and before the last one
	is, between, to, exists  string
}

var languages = map[string]phrases{
	"en": {and: " and ", or: " or ", not: "not ", open: "(", shut: ")", list: ", ", lastOf: " or ", is: " is ", between: " is from ", to: " to ", exists: " is known"},
	"zh": {and: "，并且", or: "，或者", not: "不满足", open: "（", shut: "）", list: "、", lastOf: "或", is: "为", between: "介于", to: "至", exists: "已知"},
}

// Explain says in words what the predicate means, in "en" or "zh"; another language gets English.
func (p Predicate) Explain(facets Facets, language string) string {
	words, known := languages[language]
	if !known {
		language, words = "en", languages["en"]
	}
	e := explainer{facets: facets, language: language, words: words}
	e.say(p, "")
	return e.text.String()
}

type explainer struct {
	facets   Facets
	language string
	words    phrases
	text     strings.Builder
}

// say writes a predicate out, in brackets when it stands among others of another kind.
func (e *explainer) say(p Predicate, within Operator) {
	switch p.Op {
	case OpAll, OpAny:
		bracketed := within != "" && within != p.Op && len(p.Of) > 1
		if bracketed {
			e.text.WriteString(e.words.open)
		}
		joint := e.words.and
		if p.Op == OpAny {
			joint = e.words.or
		}
		for i, inner := range p.Of {
			if i > 0 {
				e.text.WriteString(joint)
			}
			e.say(inner, p.Op)
		}
		if bracketed {
			e.text.WriteString(e.words.shut)
		}
	case OpNot:
		e.text.WriteString(e.words.not + e.words.open)
		e.say(p.Of[0], "")
		e.text.WriteString(e.words.shut)
	default:
		e.leaf(p)
	}
}

func (e *explainer) leaf(p Predicate) {
	facet, known := e.facets.Find(p.Facet)
	if !known {
		facet = &Facet{Name: p.Facet}
	}
	e.text.WriteString(e.title(facet.Titles, string(facet.Name)))
	switch p.Op {
	case OpExists:
		e.text.WriteString(e.words.exists)
	case OpBetween:
		e.text.WriteString(e.words.between + e.value(facet, p.Values[0]) + e.words.to + e.value(facet, p.Values[1]))
	default:
		e.text.WriteString(e.words.is)
		for i, value := range p.Values {
			switch {
			case i > 0 && i == len(p.Values)-1:
				e.text.WriteString(e.words.lastOf)
			case i > 0:
				e.text.WriteString(e.words.list)
			}
			e.text.WriteString(e.value(facet, value))
		}
	}
}

func (e *explainer) value(facet *Facet, name string) string {
	if i := facet.place(name); i >= 0 {
		return e.title(facet.Values[i].Titles, name)
	}
	return name
}

func (e *explainer) title(titles map[string]string, name string) string {
	if title, ok := titles[e.language]; ok {
		return title
	}
	return name
}
