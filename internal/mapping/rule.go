package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// IdentifierRule makes an identifier of a column. A record whose column is empty has none of it.
type IdentifierRule struct {
	Type   privacy.IdentifierType `yaml:"type"`
	Column string                 `yaml:"column"`
	Prefix string                 `yaml:"prefix"` // put before the value, to keep numbers of two tables apart

	identifier *catalogue.Identifier
}

func (r *IdentifierRule) check(c *catalogue.Catalogue) error {
	identifier, ok := c.Identifier(r.Type)
	if !ok {
		return invalid("identifiers: the type %s is not in the catalogue", r.Type)
	}
	if r.Column == "" || len(r.Prefix) > 64 {
		return invalid("identifiers: %s needs a column, and a prefix has at most 64 bytes", r.Type)
	}
	r.identifier = identifier
	return nil
}

// ConsentRule makes a consent record for each record that meets the condition, or for each.
type ConsentRule struct {
	Purpose privacy.PurposeName   `yaml:"purpose"`
	Action  privacy.ConsentAction `yaml:"action"`
	When    *Condition            `yaml:"when"`
}

// Condition holds when a column, trimmed, equals a text.
type Condition struct {
	Column string `yaml:"column"`
	Equals string `yaml:"equals"`
}

func (r *ConsentRule) check() error {
	if _, ok := r.Action.Status(); !ok || r.Purpose == "" {
		return invalid("consents: a purpose and one of the actions grant, deny, withdraw")
	}
	if r.When != nil && r.When.Column == "" {
		return invalid("consents: %s: a condition names a column", r.Purpose)
	}
	return nil
}

// AttributeRule makes an attribute's value of a record. Exactly one of Column, Columns,
// Constant, Sum, Entries and List says from where; the others refine it.
type AttributeRule struct {
	Column    string            `yaml:"column"`
	Columns   []string          `yaml:"columns"`     // joined by a space, the empty ones left out
	Constant  string            `yaml:"constant"`    // the same for every record
	Sum       []string          `yaml:"sum"`         // of numbers; an empty cell adds nothing
	Entries   map[string]string `yaml:"entries"`     // of amounts: name → column
	List      map[string]string `yaml:"list"`        // of strings: item → column that says yes or no
	Map       map[string]string `yaml:"map"`         // cells to replace, before anything else reads them
	Empty     []string          `yaml:"empty"`       // cells that mean nothing is known, besides the empty one
	Format    string            `yaml:"format"`      // of a date, such as DD/MM/YYYY; ISO 8601 when absent
	AgeInYear int               `yaml:"age_in_year"` // the column is the age in this year; gives a birth year

	attribute *catalogue.Attribute
	layout    layout
	keys      []string // of Entries or List, sorted
}

func (r *AttributeRule) compile(a *catalogue.Attribute) error {
	r.attribute = a
	if r.sources() != 1 {
		return invalid("%s: exactly one of column, columns, constant, sum, entries, list", a.Name)
	}
	if slices.Contains(r.columns(), "") || len(r.columns()) > maxColumns {
		return invalid("%s: columns have names, at most %d of them", a.Name, maxColumns)
	}
	if err := r.fits(a); err != nil {
		return err
	}
	if r.Constant != "" {
		if _, err := a.NormaliseText(r.Constant, ""); err != nil {
			return invalid("%s: the constant does not fit the attribute", a.Name)
		}
	}
	r.keys = slices.Sorted(maps.Keys(r.Entries))
	r.keys = append(r.keys, slices.Sorted(maps.Keys(r.List))...)
	if r.Format == "" {
		return nil
	}
	var ok bool
	if r.layout, ok = newLayout(r.Format); !ok {
		return invalid("%s: a format is made of YYYY, MM or M, DD or D and separators", a.Name)
	}
	return nil
}

func (r *AttributeRule) sources() int {
	n := 0
	for _, given := range []bool{r.Column != "", len(r.Columns) > 0, r.Constant != "", len(r.Sum) > 0, len(r.Entries) > 0, len(r.List) > 0} {
		if given {
			n++
		}
	}
	return n
}

func (r *AttributeRule) fits(a *catalogue.Attribute) error {
	t := a.Type
	number := t == catalogue.TypeInteger || t == catalogue.TypeMoney || t == catalogue.TypeDecimal
	switch {
	case len(r.Sum) > 0 && !number:
		return invalid("%s: only a number is a sum", a.Name)
	case len(r.Entries) > 0 && t != catalogue.TypeAmounts:
		return invalid("%s: only amounts have entries", a.Name)
	case len(r.List) > 0 && t != catalogue.TypeStrings:
		return invalid("%s: only strings are a list", a.Name)
	case r.Format != "" && (t != catalogue.TypeDate || r.Column == ""):
		return invalid("%s: only a date in one column has a format", a.Name)
	case r.AgeInYear != 0 && (t != catalogue.TypeYear || r.Column == "" || r.AgeInYear < 1900 || r.AgeInYear > 2200):
		return invalid("%s: age_in_year is a year, and makes a birth year of one column", a.Name)
	case r.Constant != "" && (len(r.Map) > 0 || len(r.Empty) > 0):
		return invalid("%s: a constant has neither map nor empty", a.Name)
	default:
		return nil
	}
}

func (r *AttributeRule) columns() []string {
	columns := slices.Concat(r.Columns, r.Sum, slices.Collect(maps.Values(r.Entries)), slices.Collect(maps.Values(r.List)))
	if r.Column != "" {
		columns = append(columns, r.Column)
	}
	return columns
}

// isEmpty reports whether a trimmed cell means that nothing is known.
func (r *AttributeRule) isEmpty(cell string) bool {
	return cell == "" || slices.ContainsFunc(r.Empty, func(e string) bool { return strings.TrimSpace(e) == cell })
}
