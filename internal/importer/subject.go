package importer

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// appendSubject writes a record as a line of POST /v1/subjects/import.
func (r *Remote) appendSubject(dst []byte, record *Record) ([]byte, error) {
	dst = append(dst, `{"source":`...)
	dst = catalogue.AppendString(dst, record.Source)
	if record.Regime != "" {
		dst = catalogue.AppendString(append(dst, `,"regime":`...), string(record.Regime))
	}
	if !record.CollectedAt.IsZero() {
		at, err := json.Marshal(record.CollectedAt)
		if err != nil {
			return dst, privacy.Internal(nil, "write a time")
		}
		dst = append(append(dst, `,"collected_at":`...), at...)
	}
	dst = append(dst, `,"identifiers":[`...)
	for i, identifier := range record.Identifiers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = catalogue.AppendString(append(dst, `{"type":`...), string(identifier.Type))
		dst = append(dst, `,"value":`...)
		_ = identifier.Value.Borrow(func(text string) error {
			dst = catalogue.AppendString(dst, text)
			return nil
		})
		dst = append(dst, '}')
	}
	dst, err := r.appendAttributes(append(dst, `],"attributes":{`...), record)
	return append(dst, "}}\n"...), err
}

func (r *Remote) appendAttributes(dst []byte, record *Record) ([]byte, error) {
	for i, name := range slices.Sorted(maps.Keys(record.Attributes)) {
		attribute, ok := r.words.Attribute(name)
		if !ok {
			return dst, errOtherCatalogue
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(catalogue.AppendString(dst, string(name)), ':')
		err := record.Attributes[name].Borrow(func(text string) (err error) {
			dst, err = attribute.AppendJSON(dst, text)
			return err
		})
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}
