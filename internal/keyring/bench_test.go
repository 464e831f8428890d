package keyring

import (
	"crypto/rand"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// BenchmarkOpenWarm opens a value from a page in memory, beside the bare AES-256-GCM that
// it cannot be faster than. "one" finds the page, derives the key and opens one value;
// "ten" opens ten values of one subject, as a disclosure does, and counts per value.
func BenchmarkOpenWarm(b *testing.B) {
	k := benchKeyring(b)
	const slot = 1234
	ctx := b.Context()
	subject, err := k.Subject(ctx, privacy.SubjectID{1}, slot)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := subject.Seal(KindAttribute, 7, 1, privacy.NewCleartext("ada@example.com"))
	if err != nil {
		b.Fatal(err)
	}
	open := func(b *testing.B, values int) {
		s, err := k.Subject(ctx, privacy.SubjectID{1}, slot)
		if err != nil {
			b.Fatal(err)
		}
		for range values {
			if _, err := s.Open(KindAttribute, 7, 1, sealed); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		aead, err := newAEAD(&key{1})
		if err != nil {
			b.Fatal(err)
		}
		ad := Place{Subject: privacy.SubjectID{1}}.associatedData()
		nonce := make([]byte, nonceSize)
		bare := aead.Seal(nil, nonce, []byte("ada@example.com"), ad[:])
		for b.Loop() {
			if _, err := aead.Open(nil, nonce, bare, ad[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			open(b, 1)
		}
	})
	b.Run("ten", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			open(b, 10)
			n += 10
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/value")
	})
}

func BenchmarkPuncture(b *testing.B) {
	k := benchKeyring(b)
	slot := privacy.KeySlot(0)
	for b.Loop() {
		if slot%PageSize == 0 {
			if _, err := k.EnsurePage(b.Context(), PageOf(slot)); err != nil {
				b.Fatal(err)
			}
		}
		if err := k.Puncture(b.Context(), slot); err != nil {
			b.Fatal(err)
		}
		slot++
	}
}

func BenchmarkSeal(b *testing.B) {
	s := testSubject(b, privacy.SubjectID{1}, key{1})
	value := privacy.NewCleartext("ada@example.com")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Seal(KindAttribute, 7, 1, value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlindIndex(b *testing.B) {
	k, value := hashing(), privacy.NewCleartext("ada@example.com")
	b.ReportAllocs()
	for b.Loop() {
		k.BlindIndex("email", value)
	}
}

func benchKeyring(b *testing.B) *Keyring {
	b.Helper()
	k, err := OpenFile(b.TempDir(), Options{Dev: true, Init: true, Random: rand.Reader})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = k.Close() })
	if _, err := k.EnsurePage(b.Context(), 0); err != nil {
		b.Fatal(err)
	}
	return k
}
