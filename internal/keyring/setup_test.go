package keyring_test

import (
	"errors"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// opener opens another keyring over the same records, as another process would.
type opener func(t *testing.T, o keyring.Options) (*keyring.Keyring, error)

// everywhere runs a test over a fresh, empty backend of each kind.
func everywhere(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, func(_ *testing.T, o keyring.Options) (*keyring.Keyring, error) {
			o.Dev = true
			return keyring.OpenFile(dir, o)
		})
	})
	t.Run("vault", func(t *testing.T) {
		t.Parallel()
		test(t, newVaultPlace(t).open)
	})
}

func mustOpen(t *testing.T, open opener) *keyring.Keyring {
	t.Helper()
	k, err := open(t, keyring.Options{Init: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func mustEnsure(t *testing.T, k *keyring.Keyring, pages ...keyring.PageNo) {
	t.Helper()
	for _, page := range pages {
		if _, err := k.EnsurePage(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
}

func personAt(slot privacy.KeySlot) privacy.SubjectID {
	return privacy.SubjectID{0x01, 0x92, 13: byte(slot >> 16), 14: byte(slot >> 8), 15: byte(slot)}
}

func seal(t *testing.T, k *keyring.Keyring, slot privacy.KeySlot) []byte {
	t.Helper()
	s, err := k.Subject(t.Context(), personAt(slot), slot)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal(keyring.KindAttribute, 7, 1, privacy.NewCleartext("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// opens tries to open what seal gave.
func opens(t *testing.T, k *keyring.Keyring, slot privacy.KeySlot, sealed []byte) error {
	t.Helper()
	s, err := k.Subject(t.Context(), personAt(slot), slot)
	if err != nil {
		return err
	}
	value, err := s.Open(keyring.KindAttribute, 7, 1, sealed)
	if err == nil && value != privacy.NewCleartext("ada@example.com") {
		t.Fatal("another value came out")
	}
	return err
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}
