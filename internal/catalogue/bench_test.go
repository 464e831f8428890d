package catalogue_test

import (
	"encoding/json"
	"testing"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// BenchmarkAppendJSON renders the ten values of one disclosure.
func BenchmarkAppendJSON(b *testing.B) {
	c := load(b)
	values := []struct {
		name privacy.AttributeName
		text string
	}{
		{"full_name", "Anna Smith"}, {"family_name", "张"}, {"email", "anna@example.com"}, {"phone", "+8613812345678"}, {"birth_date", "1990-05-17"},
		{"city", "Beijing"}, {"income", "58138.00"}, {"orders_total", "42"}, {"interests", `["art","wine"]`}, {"spend_by_category", `{"fruit":88.00,"wine":635.00}`},
	}
	attributes := make([]*catalogue.Attribute, len(values))
	for i, v := range values {
		attributes[i] = attribute(b, c, v.name)
	}
	buffer := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buffer = buffer[:0]
		for i, v := range values {
			var err error
			if buffer, err = attributes[i].AppendJSON(buffer, v.text); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkNormalise makes one value canonical, by kind.
func BenchmarkNormalise(b *testing.B) {
	c := load(b)
	for name, raw := range map[privacy.AttributeName]string{
		"full_name": `"Anna Smith"`, "family_name": `"张"`, "email": `"Anna.Smith@Example.com"`, "phone": `"+86 138 1234 5678"`,
		"income": `58138.5`, "birth_date": `"1990-05-17"`, "country": `"de"`, "language": `"zh-CN"`, "gender": `"M"`,
		"interests": `["wine","art"]`, "spend_by_category": `{"wine":635,"fruit":88}`,
	} {
		b.Run(string(name), func(b *testing.B) {
			a := attribute(b, c, name)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Normalise(json.RawMessage(raw), ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b)
	}
}
