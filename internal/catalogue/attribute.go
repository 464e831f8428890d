package catalogue

import (
	"encoding/json"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Type says what kind of value an attribute holds, and so how it looks in JSON.
type Type string

// The types, with their canonical text.
const (
	TypeString  Type = "string"  // the text itself
	TypeInteger Type = "integer" // 42
	TypeMoney   Type = "money"   // 58138.00, always two fraction digits
	TypeDecimal Type = "decimal" // 4.5, no trailing zeros
	TypeBoolean Type = "boolean" // true or false
	TypeDate    Type = "date"    // 1990-05-17 (ISO 8601)
	TypeYear    Type = "year"    // 1990
	TypeEnum    Type = "enum"    // one of the attribute's values
	TypeStrings Type = "strings" // ["a","b"]: a JSON array, sorted, distinct
	TypeAmounts Type = "amounts" // {"wine":635.00}: a JSON object, keys sorted
)

// Category says what part of a customer's life an attribute describes.
type Category string

// The categories.
const (
	CategoryBasic             Category = "basic"
	CategoryTransaction       Category = "transaction"
	CategoryInteraction       Category = "interaction"
	CategoryBehaviour         Category = "behaviour"
	CategoryMarketingResponse Category = "marketing_response"
	CategoryPsychographic     Category = "psychographic"
	CategoryDerived           Category = "derived"
)

// Text is a text in the languages of the console, by BCP 47 tag ("en", "zh").
type Text map[string]string

// Value is one value an enumerated attribute can have.
type Value struct {
	Value    string   `json:"value"`
	Titles   Text     `json:"titles"`
	Synonyms []string `json:"synonyms,omitempty"` // other spellings that are read as this value
}

// Attribute defines one field of a profile.
type Attribute struct {
	ID             privacy.AttributeID     `json:"id"`
	Name           privacy.AttributeName   `json:"name"`
	Type           Type                    `json:"type"`
	Category       Category                `json:"category"`
	Classification privacy.Classification  `json:"classification"`
	Normaliser     Normaliser              `json:"normaliser"`
	Retention      Period                  `json:"retention"` // counted from collection; zero keeps until erasure
	Facet          *FacetRule              `json:"facet"`     // how segments see the value; nil when they do not
	Generalise     *Rule                   `json:"generalise"`
	Mask           *MaskRule               `json:"mask"`
	Titles         Text                    `json:"titles"`
	Description    Text                    `json:"description"`
	DerivedFrom    []privacy.AttributeName `json:"derived_from,omitempty"` // the purposes of these bind the attribute too
	MaxLength      int                     `json:"max_length,omitempty"`   // in characters (runes); 512 when absent
	Minimum        *float64                `json:"minimum,omitempty"`      // of numbers
	Maximum        *float64                `json:"maximum,omitempty"`
	Values         []Value                 `json:"values,omitempty"` // of an enum
	Unit           Type                    `json:"unit,omitempty"`   // of the members of amounts: money or integer

	form    form
	invalid *privacy.Error // the one answer to any value that does not fit
}

func (a *Attribute) compile(codes countries) error {
	f, err := newForm(a, codes)
	if err != nil {
		return err
	}
	a.form = f
	a.invalid = privacy.Invalid("invalid_attribute_value", string(a.Name)+" must be "+f.expects())
	for _, rule := range []*Rule{a.Generalise, a.Facet.rule()} {
		if err := rule.check(a); err != nil {
			return err
		}
	}
	return a.Mask.check(a)
}

// Normalise brings a JSON value into the canonical text. Region is the ISO 3166-1 alpha-2
// country in which a phone number without country code is read, "" for none. A value
// that does not fit, null included, is a KindInvalid error with code
// "invalid_attribute_value" that says what is expected.
func (a *Attribute) Normalise(raw json.RawMessage, region string) (privacy.Cleartext, error) {
	if len(raw) > maxInput {
		return privacy.Cleartext{}, a.invalid
	}
	text, ok := a.form.fromJSON(raw, region)
	return a.wrap(text, ok)
}

// NormaliseText brings a value written as plain text, as in a cell of a table, into the
// canonical text. Errors are those of [Attribute.Normalise]; an empty text is one.
func (a *Attribute) NormaliseText(text string, region string) (privacy.Cleartext, error) {
	if len(text) > maxInput {
		return privacy.Cleartext{}, a.invalid
	}
	canonical, ok := a.form.fromText(text, region)
	return a.wrap(canonical, ok)
}

func (a *Attribute) wrap(text string, ok bool) (privacy.Cleartext, error) {
	if !ok {
		return privacy.Cleartext{}, a.invalid
	}
	return privacy.NewCleartext(text), nil
}

// AppendJSON appends a canonical text to dst as typed JSON: money and numbers with
// exactly their digits, lists and amounts as they are. A text that is not canonical for
// the type, which only a changed catalogue or a defect can bring about, is a
// KindInternal error, so that a response is never malformed.
func (a *Attribute) AppendJSON(dst []byte, text string) ([]byte, error) {
	out, ok := a.form.appendJSON(dst, text)
	if !ok {
		return dst, privacy.Internal(nil, "render "+string(a.Name)+": the stored text does not fit the type")
	}
	return out, nil
}

// Expiry gives the time at which a value collected at the given time must be gone;
// false when the attribute is kept until erasure.
func (a *Attribute) Expiry(collected time.Time) (time.Time, bool) {
	if a.Retention.IsZero() {
		return time.Time{}, false
	}
	return a.Retention.After(collected), true
}
