package demo

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// sketch is a profile being drawn.
type sketch struct {
	dice
	identity
	fields

	index        int
	email, phone string
	now          time.Time
	collected    time.Time // when the source saw the person
	income       float64   // 0: unknown
}

// fields are the attributes drawn so far, as a source would send them.
type fields map[privacy.AttributeName]json.RawMessage

// put sets an attribute to a text, a number, or a list or map of these.
func (f fields) put(attribute privacy.AttributeName, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // a mistake in this package, not in data
	}
	f[attribute] = raw
}

// cents is an amount of money.
type cents int

// MarshalJSON writes the amount with its two decimals.
func (c cents) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%02d", int(c)/100, int(c)%100), nil
}

// date is a calendar date.
type date time.Time

// MarshalJSON writes the date as in ISO 8601.
func (d date) MarshalJSON() ([]byte, error) {
	return time.Time(d).AppendFormat(nil, `"`+time.DateOnly+`"`), nil
}

func (s *sketch) draw() {
	s.drawPerson()
	s.drawAddress()
	s.drawWork()
	s.drawHousehold()
	s.drawTaste()
	s.drawPurchases()
	s.drawBehaviour()
	s.drawCampaigns()
	s.drawSensitive()
}

// draft is the profile as a source would send it: found by an address always, by the rest often.
func (s *sketch) draft() custody.ProfileDraft {
	draft := custody.ProfileDraft{Attributes: s.fields, CollectedAt: s.collected, Source: pick(s.dice, []string{"demo.crm", "demo.crm", "demo.webshop", "demo.store"})}
	add := func(kind privacy.IdentifierType, value string, verified bool) {
		draft.Identifiers = append(draft.Identifiers, custody.IdentifierDraft{Type: kind, Value: value, Verified: verified})
	}
	add("email", s.email, s.has(0.8))
	if s.phone != "" {
		add("phone", s.phone, s.has(0.6))
	}
	if s.has(0.9) {
		add("customer_number", fmt.Sprintf("C-%06d", s.index+1), true)
	}
	if s.has(0.6) {
		add("account", fmt.Sprintf("%s%04d", s.family.latin, s.index+1), true)
	}
	if s.has(0.3) {
		add("loyalty_card", fmt.Sprintf("LC-%08d", 40_000_000+s.index), false)
	}
	return draft
}
