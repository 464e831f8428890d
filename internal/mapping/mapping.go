package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	// LineColumn is a column every table has: the number of the record, the first one
	// after a header being 1. Whoever reads the table answers for it.
	LineColumn = "#line"

	maxSize    = 1 << 20 // bytes of a mapping file
	maxColumns = 500     // in one rule
)

// Format says how the table is stored.
type Format string

// The formats.
const (
	FormatCSV     Format = "csv"
	FormatNDJSON  Format = "ndjson"
	FormatParquet Format = "parquet"
)

// Mapping says how the records of one kind of table become subjects. It is immutable
// after parsing and safe for concurrent use.
type Mapping struct {
	Format      Format                                   `yaml:"format"`
	Delimiter   string                                   `yaml:"delimiter"` // of CSV: one character, "," when absent
	Encoding    Encoding                                 `yaml:"encoding"`  // of CSV and NDJSON; UTF-8 when absent
	Source      string                                   `yaml:"source"`    // where the values come from, kept with each
	Region      string                                   `yaml:"region"`    // ISO 3166-1 alpha-2 of phone numbers without country code
	Regime      privacy.Regime                           `yaml:"regime"`    // "" leaves it to the subject's country
	CollectedAt *TimeRule                                `yaml:"collected_at"`
	Identifiers []IdentifierRule                         `yaml:"identifiers"`
	Attributes  map[privacy.AttributeName]*AttributeRule `yaml:"attributes"`
	Consents    []ConsentRule                            `yaml:"consents"`

	order     []privacy.AttributeName // sorted, so that a row's first error is always the same
	catalogue *catalogue.Catalogue
}

// Parse reads a mapping and checks it against the starter catalogue.
func Parse(data []byte) (*Mapping, error) {
	c, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	return ParseFor(c, data)
}

// ParseFor reads a mapping and checks it against a catalogue. The error is a KindInvalid
// [privacy.Error] with code "invalid_mapping".
func ParseFor(c *catalogue.Catalogue, data []byte) (*Mapping, error) {
	if len(data) > maxSize {
		return nil, invalid("the file is larger than 1 MiB")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	m := &Mapping{catalogue: c}
	if err := decoder.Decode(m); err != nil {
		return nil, &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_mapping", Detail: "the file is not a mapping in YAML", Cause: err}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, invalid("the file holds more than one document")
	}
	m.order = slices.Sorted(maps.Keys(m.Attributes))
	return m, m.check()
}

func (m *Mapping) check() error {
	if err := m.checkTable(); err != nil {
		return err
	}
	if len(m.Identifiers) == 0 {
		return invalid("identifiers: at least one is needed to tell subjects apart")
	}
	for i := range m.Identifiers {
		if err := m.Identifiers[i].check(m.catalogue); err != nil {
			return err
		}
	}
	for _, name := range m.order {
		attribute, ok := m.catalogue.Attribute(name)
		if !ok {
			return invalid("attributes: %s is not in the catalogue", name)
		}
		rule := m.Attributes[name]
		if rule == nil {
			return invalid("attributes: %s has no rule", name)
		}
		if err := rule.compile(attribute); err != nil {
			return err
		}
	}
	for i := range m.Consents {
		if err := m.Consents[i].check(); err != nil {
			return err
		}
	}
	return m.CollectedAt.compile()
}

func (m *Mapping) checkTable() error {
	switch m.Format {
	case FormatCSV:
		if m.Delimiter == "" {
			m.Delimiter = ","
		}
		if r, size := utf8.DecodeRuneInString(m.Delimiter); size != len(m.Delimiter) || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r) {
			return invalid("delimiter: one character, neither a quote nor a line break")
		}
	case FormatNDJSON, FormatParquet:
		if m.Delimiter != "" {
			return invalid("delimiter: only a csv file has one")
		}
		if m.Format == FormatParquet && m.Encoding != "" {
			return invalid("encoding: a parquet file has its own")
		}
	default:
		return invalid("format: one of csv, ndjson, parquet")
	}
	if m.Encoding == "" {
		m.Encoding = EncodingUTF8
	}
	if _, ok := m.Encoding.decoder(); !ok {
		return invalid("encoding: one of %s", knownEncodings)
	}
	if m.Source == "" || len(m.Source) > 128 {
		return invalid("source: where the values come from, in at most 128 bytes")
	}
	if m.Region != "" && (len(m.Region) != 2 || strings.ToUpper(m.Region) != m.Region) {
		return invalid("region: an ISO 3166-1 alpha-2 code in capitals")
	}
	if m.Regime != "" && !slices.Contains(privacy.Regimes(), m.Regime) {
		return invalid("regime: not a known one")
	}
	return nil
}

// Columns lists the columns that a table must have for the mapping, sorted, without
// [LineColumn]; so that a wrong file is refused before its first row.
func (m *Mapping) Columns() []string {
	var columns []string
	for _, i := range m.Identifiers {
		columns = append(columns, i.Column)
	}
	for _, rule := range m.Attributes {
		columns = append(columns, rule.columns()...)
	}
	for _, c := range m.Consents {
		if c.When != nil {
			columns = append(columns, c.When.Column)
		}
	}
	if m.CollectedAt != nil {
		columns = append(columns, m.CollectedAt.Column)
	}
	slices.Sort(columns)
	return slices.DeleteFunc(slices.Compact(columns), func(c string) bool { return c == "" || c == LineColumn })
}

func invalid(format string, args ...any) error {
	return privacy.Invalid("invalid_mapping", fmt.Sprintf(format, args...))
}
