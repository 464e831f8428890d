package catalogue

import "github.com/consentry/consentry/internal/privacy"

// Identifier defines one kind of text that finds a subject.
type Identifier struct {
	ID         privacy.AttributeID    `json:"id"` // of the same series as the attributes' numbers
	Type       privacy.IdentifierType `json:"type"`
	Normaliser Normaliser             `json:"normaliser"`
	MaxLength  int                    `json:"max_length,omitempty"` // in characters (runes); 512 when absent
	Titles     Text                   `json:"titles"`

	form    stringForm
	invalid *privacy.Error
}

func (i *Identifier) compile(codes countries) error {
	f, err := newStringForm(i.Normaliser, i.MaxLength, codes)
	if err != nil {
		return invalidCatalogue("identifier %s: %w", i.Type, err)
	}
	i.form = f
	i.invalid = privacy.Invalid("invalid_identifier", "an identifier of type "+string(i.Type)+" must be "+f.what)
	return nil
}

// Normalise brings an identifier into the one text that is sealed and indexed. Region is
// as for [Attribute.Normalise]; a value that does not fit is a KindInvalid
// error with code "invalid_identifier".
func (i *Identifier) Normalise(value string, region string) (privacy.Cleartext, error) {
	if len(value) > maxInput {
		return privacy.Cleartext{}, i.invalid
	}
	text, ok := i.form.fromText(value, region)
	if !ok {
		return privacy.Cleartext{}, i.invalid
	}
	return privacy.NewCleartext(text), nil
}
