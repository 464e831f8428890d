package keyring_test

import (
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
)

func TestSecretOpensInItsPlaceOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k := mustOpen(t, open)
		sealed, err := k.SealSecret(t.Context(), "processor/1", []byte("hush hush hush"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sealed, "hush") {
			t.Error("the secret is in clear")
		}
		if back, err := k.OpenSecret(t.Context(), "processor/1", sealed); err != nil || string(back) != "hush hush hush" {
			t.Errorf("got %q, %v", back, err)
		}
		_, err = k.OpenSecret(t.Context(), "processor/2", sealed)
		wantErr(t, "in another place", err, keyring.ErrNotAuthentic)
		_, err = k.OpenSecret(t.Context(), "processor/1", sealed[:len(sealed)-4]+"AAA=")
		wantErr(t, "altered", err, keyring.ErrNotAuthentic)
		_, err = k.OpenSecret(t.Context(), "processor/1", "")
		wantErr(t, "empty", err, keyring.ErrNotAuthentic)
		if _, err := k.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if back, err := k.OpenSecret(t.Context(), "processor/1", sealed); err != nil || string(back) != "hush hush hush" {
			t.Errorf("after a rotation: got %q, %v", back, err)
		}
	})
}
