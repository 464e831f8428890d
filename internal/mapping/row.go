package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Record gives the cell of a column, false when the record has no such column.
type Record func(column string) (string, bool)

// Draft is a subject as a record tells it, ready to be sealed.
type Draft struct {
	Identifiers []Identifier
	Attributes  map[privacy.AttributeName]privacy.Cleartext // canonical; what is not known is not there
	Consents    []Consent
	Source      string
	Region      string
	Regime      privacy.Regime // "" leaves it to the subject's country
	CollectedAt time.Time      // zero when the mapping does not say
}

// Identifier is an identifier in its normalised form.
type Identifier struct {
	Type  privacy.IdentifierType
	Value privacy.Cleartext
}

// Consent is what a record says about a purpose.
type Consent struct {
	Purpose privacy.PurposeName
	Action  privacy.ConsentAction
}

// Row makes a draft of a record. The error is a KindInvalid [privacy.Error] with code
// "invalid_row" that names the column and what was expected in it.
func (m *Mapping) Row(record Record) (Draft, error) {
	draft := Draft{
		Attributes: make(map[privacy.AttributeName]privacy.Cleartext, len(m.order)),
		Source:     m.Source, Region: m.Region, Regime: m.Regime,
	}
	for i := range m.Identifiers {
		if err := m.addIdentifier(&draft, &m.Identifiers[i], record); err != nil {
			return Draft{}, err
		}
	}
	if len(draft.Identifiers) == 0 {
		return Draft{}, rowError(m.Identifiers[0].Column, "at least one identifier must have a value")
	}
	for _, name := range m.order {
		value, ok, err := m.Attributes[name].value(record, m.Region)
		if err != nil {
			return Draft{}, err
		}
		if ok {
			draft.Attributes[name] = value
		}
	}
	var err error
	if draft.Consents, err = m.consents(record); err != nil {
		return Draft{}, err
	}
	draft.CollectedAt, err = m.collectedAt(record)
	return draft, err
}

func (m *Mapping) addIdentifier(draft *Draft, rule *IdentifierRule, record Record) error {
	cell, err := read(record, rule.Column)
	if err != nil || cell == "" {
		return err
	}
	value, err := rule.identifier.Normalise(rule.Prefix+cell, m.Region)
	if err != nil {
		return rowError(rule.Column, detail(err))
	}
	draft.Identifiers = append(draft.Identifiers, Identifier{Type: rule.Type, Value: value})
	return nil
}

func (m *Mapping) consents(record Record) ([]Consent, error) {
	var out []Consent
	for _, rule := range m.Consents {
		if rule.When != nil {
			cell, err := read(record, rule.When.Column)
			if err != nil {
				return nil, err
			}
			if cell != strings.TrimSpace(rule.When.Equals) {
				continue
			}
		}
		out = append(out, Consent{Purpose: rule.Purpose, Action: rule.Action})
	}
	return out, nil
}

func (m *Mapping) collectedAt(record Record) (time.Time, error) {
	rule := m.CollectedAt
	if rule == nil {
		return time.Time{}, nil
	}
	cell := rule.Constant
	if rule.Column != "" {
		var err error
		if cell, err = read(record, rule.Column); err != nil || cell == "" {
			return time.Time{}, err
		}
	}
	at, ok := rule.read(cell)
	if !ok {
		return time.Time{}, rowError(rule.Column, "the time of collection is not written as the mapping says")
	}
	return at, nil
}

// value makes the attribute's value; false when the record does not know it.
func (r *AttributeRule) value(record Record, region string) (privacy.Cleartext, bool, error) {
	switch {
	case len(r.Sum) > 0:
		return r.sum(record)
	case len(r.Entries) > 0:
		return r.entries(record)
	case len(r.List) > 0:
		return r.list(record)
	case len(r.Columns) > 0:
		return r.joined(record, region)
	case r.Constant != "":
		value, err := r.attribute.NormaliseText(r.Constant, region)
		return value, err == nil, err
	}
	cell, err := r.cell(record, r.Column)
	if err != nil || cell == "" {
		return privacy.Cleartext{}, false, err
	}
	switch {
	case r.AgeInYear != 0:
		age, ok := wholeNumber(cell, 150)
		if !ok {
			return privacy.Cleartext{}, false, rowError(r.Column, string(r.attribute.Name)+" is made of an age in years")
		}
		cell = strconv.Itoa(r.AgeInYear - age)
	case r.layout != "":
		day, ok := r.layout.parse(cell)
		if !ok {
			return privacy.Cleartext{}, false, rowError(r.Column, string(r.attribute.Name)+" must be a date as "+r.Format)
		}
		cell = day.Format(time.DateOnly)
	}
	return r.finish(r.Column)(r.attribute.NormaliseText(cell, region))
}

func (r *AttributeRule) joined(record Record, region string) (privacy.Cleartext, bool, error) {
	var parts []string
	for _, column := range r.Columns {
		cell, err := r.cell(record, column)
		if err != nil {
			return privacy.Cleartext{}, false, err
		}
		if cell != "" {
			parts = append(parts, cell)
		}
	}
	if len(parts) == 0 {
		return privacy.Cleartext{}, false, nil
	}
	return r.finish(strings.Join(r.Columns, ", "))(r.attribute.NormaliseText(strings.Join(parts, " "), region))
}

func (r *AttributeRule) sum(record Record) (privacy.Cleartext, bool, error) {
	total, known := new(big.Rat), false
	for _, column := range r.Sum {
		number, ok, err := r.number(record, column)
		if err != nil {
			return privacy.Cleartext{}, false, err
		}
		if ok {
			total.Add(total, number)
			known = true
		}
	}
	if !known {
		return privacy.Cleartext{}, false, nil
	}
	return r.finish(strings.Join(r.Sum, ", "))(r.attribute.Normalise(json.RawMessage(plain(total)), ""))
}

func (r *AttributeRule) entries(record Record) (privacy.Cleartext, bool, error) {
	amounts := make(map[string]json.RawMessage, len(r.keys))
	for _, key := range r.keys {
		number, ok, err := r.number(record, r.Entries[key])
		if err != nil {
			return privacy.Cleartext{}, false, err
		}
		if ok {
			amounts[key] = json.RawMessage(plain(number))
		}
	}
	return r.collect(amounts, len(amounts) > 0)
}

func (r *AttributeRule) list(record Record) (privacy.Cleartext, bool, error) {
	items, known := []string{}, false
	for _, item := range r.keys {
		cell, err := r.cell(record, r.List[item])
		if err != nil {
			return privacy.Cleartext{}, false, err
		}
		switch strings.ToLower(cell) {
		case "1", "yes", "y", "true":
			items, known = append(items, item), true
		case "0", "no", "n", "false":
			known = true
		case "":
		default:
			return privacy.Cleartext{}, false, rowError(r.List[item], string(r.attribute.Name)+" is made of yes or no, true or false, 1 or 0")
		}
	}
	return r.collect(items, known)
}

func (r *AttributeRule) collect(value any, known bool) (privacy.Cleartext, bool, error) {
	if !known {
		return privacy.Cleartext{}, false, nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return privacy.Cleartext{}, false, privacy.Internal(nil, "write "+string(r.attribute.Name))
	}
	return r.finish(strings.Join(r.columns(), ", "))(r.attribute.Normalise(raw, ""))
}

// finish turns the catalogue's answer into the rule's, with the column in the error.
func (r *AttributeRule) finish(column string) func(privacy.Cleartext, error) (privacy.Cleartext, bool, error) {
	return func(value privacy.Cleartext, err error) (privacy.Cleartext, bool, error) {
		if err != nil {
			return privacy.Cleartext{}, false, rowError(column, detail(err))
		}
		return value, true, nil
	}
}

// cell reads a column, replaces what the rule's map replaces, and gives "" for what
// means that nothing is known.
func (r *AttributeRule) cell(record Record, column string) (string, error) {
	cell, err := read(record, column)
	if err != nil || r.isEmpty(cell) {
		return "", err
	}
	if mapped, ok := r.Map[cell]; ok {
		cell = strings.TrimSpace(mapped)
	}
	return cell, nil
}

func (r *AttributeRule) number(record Record, column string) (*big.Rat, bool, error) {
	cell, err := r.cell(record, column)
	if err != nil || cell == "" {
		return nil, false, err
	}
	number, ok := decimal(cell)
	if !ok {
		return nil, false, rowError(column, string(r.attribute.Name)+" is made of plain decimal numbers")
	}
	return number, true, nil
}

func read(record Record, column string) (string, error) {
	cell, ok := record(column)
	if !ok {
		return "", rowError(column, "the record has no such column")
	}
	return strings.TrimSpace(cell), nil
}

func rowError(column, reason string) error {
	return privacy.Invalid("invalid_row", fmt.Sprintf("column %s: %s", column, reason))
}

// detail takes the sentence out of the catalogue's error.
func detail(err error) string {
	var e *privacy.Error
	if errors.As(err, &e) {
		return e.Detail
	}
	return "the value does not fit"
}
