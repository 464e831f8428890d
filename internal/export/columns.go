package export

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// tables lists the sections of a file, in order. A portability has what the person provided, or what was observed of them, and
// nothing that others made of it (Article 29 Working Party, WP 242 rev.01, II).
func (s *Source) tables() []table {
	tables := []table{
		&rows[Attribute]{"attributes", s.Attributes, attributeColumns},
		&rows[Identifier]{"identifiers", s.Identifiers, identifierColumns},
		&rows[Consent]{"consents", s.Consents, consentColumns},
	}
	if s.Head.Kind != privacy.RequestAccess {
		return tables
	}
	return append(tables,
		&rows[Derived]{"derived", s.Derived, derivedColumns},
		&rows[Disclosure]{"disclosures", s.Disclosures, disclosureColumns},
		&rows[Signal]{"signals", s.Signals, signalColumns},
		&rows[Request]{"requests", s.Requests, requestColumns},
		&rows[Notice]{"notices", s.Notices, noticeColumns})
}

// same is a column that a person and a program read alike.
func same[T any](name string, text func(*T) string) column[T] {
	return column[T]{name, text, func(row *T, _ *words) string { return text(row) }}
}

// coded is a column of names that the page puts into words.
func coded[T any](name string, text func(*T) string) column[T] {
	return column[T]{name, text, func(row *T, w *words) string { return w.of(text(row)) }}
}

// moment is a column of times.
func moment[T any](name string, at func(*T) time.Time) column[T] {
	return column[T]{name, func(row *T) string { return stamp(at(row)) }, func(row *T, w *words) string { return w.day(at(row)) }}
}

// hidden is a column that only programs need.
func hidden[T any](name string, text func(*T) string) column[T] { return column[T]{name, text, nil} }

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

func orZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

var attributeColumns = []column[Attribute]{
	hidden("name", func(a *Attribute) string { return string(a.Name) }),
	same("title", func(a *Attribute) string { return a.Title }),
	{"value", func(a *Attribute) string { return plain(a.Value) }, func(a *Attribute, w *words) string { return w.value(a.Value) }},
	coded("classification", func(a *Attribute) string { return string(a.Classification) }),
	coded("category", func(a *Attribute) string { return a.Category }),
	same("source", func(a *Attribute) string { return a.Source }),
	moment("collected_at", func(a *Attribute) time.Time { return a.CollectedAt }),
	{"kept_until", func(a *Attribute) string { return stamp(orZero(a.KeptUntil)) }, func(a *Attribute, w *words) string {
		if a.KeptUntil == nil {
			return w.of("until_erasure")
		}
		return w.day(*a.KeptUntil)
	}},
	hidden("retention", func(a *Attribute) string { return a.Retention }),
	{"purposes", func(a *Attribute) string { return purposes(a.Purposes, false) }, func(a *Attribute, _ *words) string { return purposes(a.Purposes, true) }},
	hidden("derived_from", func(a *Attribute) string { return joined(a.DerivedFrom) }),
	same("derivation", func(a *Attribute) string { return a.Derivation }),
}

var identifierColumns = []column[Identifier]{
	hidden("type", func(i *Identifier) string { return string(i.Type) }),
	same("title", func(i *Identifier) string { return i.Title }),
	same("value", func(i *Identifier) string { return i.Value }),
	coded("verified", func(i *Identifier) string { return strconv.FormatBool(i.Verified) }),
	same("source", func(i *Identifier) string { return i.Source }),
	moment("added_at", func(i *Identifier) time.Time { return i.AddedAt }),
}

var derivedColumns = []column[Derived]{
	hidden("name", func(d *Derived) string { return d.Name }),
	same("title", func(d *Derived) string { return d.Title }),
	same("value", func(d *Derived) string { return d.Value }),
	hidden("from", func(d *Derived) string { return joined(d.From) }),
	same("derivation", func(d *Derived) string { return d.Derivation }),
}

var consentColumns = []column[Consent]{
	hidden("number", func(c *Consent) string { return strconv.Itoa(int(c.Seq)) }),
	hidden("id", func(c *Consent) string { return c.ID }),
	moment("occurred_at", func(c *Consent) time.Time { return c.OccurredAt }),
	{"purpose", func(c *Consent) string { return string(c.Purpose.Name) }, func(c *Consent, _ *words) string { return c.Purpose.Title }},
	coded("action", func(c *Consent) string { return string(c.Action) }),
	coded("by", func(c *Consent) string { return string(c.By) }),
	same("channel", func(c *Consent) string { return c.Channel }),
	same("method", func(c *Consent) string { return c.Method }),
	coded("explicit", func(c *Consent) string { return strconv.FormatBool(c.Explicit) }),
	hidden("separate_for", func(c *Consent) string { return joined(c.SeparateFor) }),
	moment("expires_at", func(c *Consent) time.Time { return orZero(c.ExpiresAt) }),
	same("notice", func(c *Consent) string { return c.Notice.String() }),
	hidden("notice_sha256", func(c *Consent) string {
		if c.Notice == nil {
			return ""
		}
		return c.Notice.SHA256
	}),
	same("locale", func(c *Consent) string { return c.Locale }),
	moment("recorded_at", func(c *Consent) time.Time { return c.RecordedAt }),
	same("recorded_by", func(c *Consent) string { return string(c.RecordedBy) }),
	same("evidence", func(c *Consent) string { return c.Evidence }),
}

var noticeColumns = []column[Notice]{
	same("notice", func(n *Notice) string { return n.String() }),
	hidden("sha256", func(n *Notice) string { return n.SHA256 }),
	same("title", func(n *Notice) string { return n.Title }),
	same("text", func(n *Notice) string { return n.Text + n.URI }),
	same("controller", func(n *Notice) string { return n.Controller }),
	same("contact", func(n *Notice) string { return n.Contact }),
	same("recipients", func(n *Notice) string { return strings.Join(n.Recipients, "; ") }),
	same("language", func(n *Notice) string { return n.Language }),
}

var signalColumns = []column[Signal]{
	hidden("number", func(s *Signal) string { return strconv.Itoa(int(s.Seq)) }),
	moment("received_at", func(s *Signal) time.Time { return s.ReceivedAt }),
	coded("kind", func(s *Signal) string { return string(s.Kind) }),
	same("value", func(s *Signal) string { return s.Value }),
	same("recorded_by", func(s *Signal) string { return string(s.RecordedBy) }),
	hidden("effects", func(s *Signal) string { return effects(s.Effects) }),
}

var disclosureColumns = []column[Disclosure]{
	hidden("id", func(d *Disclosure) string { return d.ID }),
	moment("at", func(d *Disclosure) time.Time { return d.At }),
	same("recipient", func(d *Disclosure) string { return string(d.Recipient.Client) }),
	coded("role", func(d *Disclosure) string { return d.Recipient.Role }),
	same("country", func(d *Disclosure) string { return d.Recipient.Country }),
	{"purpose", func(d *Disclosure) string { return string(d.Purpose.Name) }, func(d *Disclosure, _ *words) string { return d.Purpose.Title }},
	{"attributes", func(d *Disclosure) string { return received(d, nil) }, received},
	hidden("withheld", func(d *Disclosure) string { return joined(d.Withheld) }),
}

var requestColumns = []column[Request]{
	hidden("id", func(r *Request) string { return r.ID.String() }),
	moment("received_at", func(r *Request) time.Time { return r.ReceivedAt }),
	coded("type", func(r *Request) string { return string(r.Type) }),
	coded("state", func(r *Request) string { return string(r.State) }),
	moment("due_at", func(r *Request) time.Time { return r.DueAt }),
	moment("closed_at", func(r *Request) time.Time { return orZero(r.ClosedAt) }),
	same("ground", func(r *Request) string { return r.Ground }),
	same("details", details),
}

// plain gives a JSON value as a cell of a table: a string without its quotes.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

func purposes(list []Purpose, titles bool) string {
	texts := make([]string, len(list))
	for i, p := range list {
		if texts[i] = string(p.Name); titles {
			texts[i] = p.Title
		}
	}
	return strings.Join(texts, "; ")
}

func joined[S ~string](names []S) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, "; ")
}

// received tells what somebody got and in which form.
func received(d *Disclosure, w *words) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(d.Attributes)) {
		if w == nil {
			texts = append(texts, string(name)+"="+string(d.Attributes[name]))
			continue
		}
		text := w.attribute(name)
		if mode := d.Attributes[name]; mode != privacy.ModePlain {
			text += " (" + w.of(string(mode)) + ")"
		}
		texts = append(texts, text)
	}
	if w != nil && len(texts) == 0 {
		return w.of("nothing")
	}
	return strings.Join(texts, "; ")
}

func effects(list []privacy.SignalEffect) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = string(e.Effect)
		if e.Purpose != "" {
			texts[i] += " " + string(e.Purpose)
		}
		texts[i] += ": " + string(e.Outcome)
	}
	return strings.Join(texts, "; ")
}

func details(r *Request) string {
	texts := make([]string, len(r.Details))
	for i, detail := range r.Details {
		texts[i] = string(detail)
	}
	return strings.Join(texts, "; ")
}

// String names the version; "" for none.
func (n *NoticeRef) String() string {
	if n == nil {
		return ""
	}
	return n.ID + " " + strconv.Itoa(int(n.Version))
}
