package privacy

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Cleartext is a personal value outside its seal: an attribute value or an
// identifier in its normalised text form. It cannot be printed, logged or marshalled by
// accident: every such road shows "[redacted]". Taking the value out is explicit,
// and a test holds the list of files that may do so.
//
// The zero Cleartext is the empty value.
type Cleartext struct{ text string }

// NewCleartext wraps a value on its way in.
func NewCleartext(text string) Cleartext { return Cleartext{text: text} }

// Reveal takes the value out for release. Only the disclosure flow calls it, for what a decision
// permits, and holds what it reveals back until that decision is committed.
func (c Cleartext) Reveal() string { return c.text }

// Borrow lends the value to code that seals, indexes or transforms it and lets
// nothing out. The callee must not keep it.
func (c Cleartext) Borrow(use func(text string) error) error { return use(c.text) }

// Map transforms the value without taking it out of its wrapper.
func (c Cleartext) Map(transform func(text string) (string, error)) (Cleartext, error) {
	text, err := transform(c.text)
	return Cleartext{text: text}, err
}

// IsEmpty reports whether there is no text.
func (c Cleartext) IsEmpty() bool { return c.text == "" }

// String implements fmt.Stringer, redacted.
func (Cleartext) String() string { return redacted }

// GoString implements fmt.GoStringer, redacted.
func (Cleartext) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb shows the value.
func (Cleartext) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer, redacted.
func (Cleartext) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler, redacted.
func (Cleartext) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler, redacted.
func (Cleartext) MarshalText() ([]byte, error) { return []byte(redacted), nil }
