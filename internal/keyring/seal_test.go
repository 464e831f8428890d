package keyring

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

func testSubject(t testing.TB, id privacy.SubjectID, secret key) *Subject {
	t.Helper()
	s, err := newSubject(id, &secret, rand.Reader, new(scratch))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	home := testSubject(t, privacy.SubjectID{1}, key{1})
	value := privacy.NewCleartext("ada@example.com")
	sealed, err := home.Seal(KindAttribute, 7, 3, value)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := home.Open(KindAttribute, 7, 3, sealed); err != nil || opened != value {
		t.Fatalf("does not open at home: %v", err)
	}
	for name, open := range map[string]func() (privacy.Cleartext, error){
		"another attribute": func() (privacy.Cleartext, error) { return home.Open(KindAttribute, 8, 3, sealed) },
		"another version":   func() (privacy.Cleartext, error) { return home.Open(KindAttribute, 7, 4, sealed) },
		"another kind":      func() (privacy.Cleartext, error) { return home.Open(KindIdentifier, 7, 3, sealed) },
		"another subject on the same key": func() (privacy.Cleartext, error) {
			return testSubject(t, privacy.SubjectID{2}, key{1}).Open(KindAttribute, 7, 3, sealed)
		},
		"the same subject under another key": func() (privacy.Cleartext, error) {
			return testSubject(t, privacy.SubjectID{1}, key{2}).Open(KindAttribute, 7, 3, sealed)
		},
		"another format": func() (privacy.Cleartext, error) {
			return home.Open(KindAttribute, 7, 3, append([]byte{2}, sealed[1:]...))
		},
		"nothing":         func() (privacy.Cleartext, error) { return home.Open(KindAttribute, 7, 3, nil) },
		"cut short":       func() (privacy.Cleartext, error) { return home.Open(KindAttribute, 7, 3, sealed[:len(sealed)-1]) },
		"cut to the head": func() (privacy.Cleartext, error) { return home.Open(KindAttribute, 7, 3, sealed[:sealHead]) },
	} {
		opened, err := open()
		if !errors.Is(err, ErrNotAuthentic) || !opened.IsEmpty() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnyFlippedBitIsNoticed(t *testing.T) {
	s := testSubject(t, privacy.SubjectID{1}, key{1})
	sealed, err := s.Seal(KindState, 0, 1, privacy.NewCleartext("x"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(sealed) * 8 {
		altered := bytes.Clone(sealed)
		altered[i/8] ^= 1 << (i % 8)
		if _, err := s.Open(KindState, 0, 1, altered); !errors.Is(err, ErrNotAuthentic) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
}

func TestSealAndOpenAnyValue(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		attribute := privacy.AttributeID(rapid.Uint16().Draw(r, "attribute"))
		version := rapid.Uint32().Draw(r, "version")
		s := testSubject(t, privacy.SubjectID{3}, key{3})
		sealed, err := s.Seal(KindIdentifier, attribute, version, privacy.NewCleartext(text))
		if err != nil {
			r.Fatal(err)
		}
		if len(sealed) != len(text)+sealOverhead || cap(sealed) != len(sealed) {
			r.Fatalf("%d bytes for %d", len(sealed), len(text))
		}
		opened, err := s.Open(KindIdentifier, attribute, version, sealed)
		if err != nil || opened != privacy.NewCleartext(text) {
			r.Fatalf("does not open: %v", err)
		}
	})
}

func TestNoncesDoNotRepeat(t *testing.T) {
	s := testSubject(t, privacy.SubjectID{1}, key{1})
	seen := make(map[[nonceSize]byte]bool)
	for range 20_000 {
		sealed, err := s.Seal(KindAttribute, 1, 1, privacy.NewCleartext("same"))
		if err != nil {
			t.Fatal(err)
		}
		nonce := [nonceSize]byte(sealed[1:sealHead])
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestSealNeedsRandomness(t *testing.T) {
	secret := key{1}
	s, err := newSubject(privacy.SubjectID{1}, &secret, bytes.NewReader([]byte("too short")), new(scratch))
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err := s.Seal(KindAttribute, 1, 1, privacy.NewCleartext("x")); err == nil || sealed != nil {
		t.Error("sealed without a nonce")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	secret := key(bytes.Repeat([]byte{0x5a}, keySize))
	k := &Keyring{backend: &fileBackend{}, hashes: newHashKeys(secret, secret, secret), pages: newPageCache(1, 1)}
	config := VaultConfig{Auth: VaultAuth{Token: "hvs.ZZZZ", SecretID: "ZZZZ"}}
	leaks := []string{"5a5a", "5A5A", "90 90", "0x5a", "ZZZZ", "WlpaW", "5a5a5a5a"}
	for _, value := range []any{k, *k, testSubject(t, privacy.SubjectID{1}, secret), secret, newTree(secret), config, &config, config.Auth} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		for _, leak := range leaks {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%T prints %s", value, leak)
			}
		}
	}
}
