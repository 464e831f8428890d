package policy

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

var tenAttributes = []privacy.AttributeName{
	"birth_date", "city", "customer_level", "email", "full_name", "gender", "income", "interests", "phone", "spend_total",
}

func BenchmarkDecide(b *testing.B) {
	b.Run("remembered", func(b *testing.B) {
		engine, revision := setup(b)
		for b.Loop() {
			if _, err := engine.Decide(b.Context(), revision.ID, consenting(tenAttributes...)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(engine.Evaluations()), "evaluations")
	})
	b.Run("evaluated", func(b *testing.B) {
		engine, revision := setup(b)
		version := 0
		for b.Loop() {
			version++
			input := consenting(tenAttributes...)
			input.Subject.Consent.NoticeVersion = version
			if _, err := engine.Decide(b.Context(), revision.ID, input); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCanonicalInput(b *testing.B) {
	input := consenting(tenAttributes...)
	for b.Loop() {
		if _, err := CanonicalInput(input); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	revision := defaultRevision(b)
	for b.Loop() {
		if err := NewEngine().Load(b.Context(), revision); err != nil {
			b.Fatal(err)
		}
	}
}
