package custody_test

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestAnotherKeyringIsRefused(t *testing.T) {
	t.Parallel()
	v := setup(t)
	if err := v.ClaimKeyring(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.another().ClaimKeyring(t.Context()); err != nil {
		t.Errorf("the same keyring on another machine: %v", err)
	}
	v.dir = t.TempDir()
	wantCode(t, v.another().ClaimKeyring(t.Context()), privacy.KindConflict, "keyring_mismatch")
}
