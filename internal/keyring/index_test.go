package keyring

import (
	"encoding/base64"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func hashing() *Keyring { return &Keyring{hashes: newHashKeys(key{1}, key{2}, key{3})} }

func TestTokenIsStableAndUnlinkable(t *testing.T) {
	k := hashing()
	value := privacy.NewCleartext("ada@example.com")
	token := k.Token("crm", "marketing.email", 7, value)
	if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(token) != 22 || len(raw) != 16 {
		t.Fatalf("token of %d characters: %v", len(token), err)
	}
	if token != hashing().Token("crm", "marketing.email", 7, value) {
		t.Error("the same question has another token")
	}
	for name, other := range map[string]string{
		"client":                      k.Token("ads", "marketing.email", 7, value),
		"purpose":                     k.Token("crm", "marketing.sms", 7, value),
		"attribute":                   k.Token("crm", "marketing.email", 8, value),
		"value":                       k.Token("crm", "marketing.email", 7, privacy.NewCleartext("bob@example.com")),
		"cut between client, purpose": k.Token("crmm", "arketing.email", 7, value),
	} {
		if other == token {
			t.Errorf("another %s has the same token", name)
		}
	}
}

func TestHashesAreOfDifferentKinds(t *testing.T) {
	k := hashing()
	value := privacy.NewCleartext("ada@example.com")
	index, suppressed := k.BlindIndex("email", value), k.SuppressionIndex("email", value)
	fingerprint := k.Fingerprint([]byte("email\x00ada@example.com"))
	if index == suppressed || index == [IndexSize]byte(fingerprint[:IndexSize]) || suppressed == [IndexSize]byte(fingerprint[:IndexSize]) {
		t.Error("two kinds of hash agree")
	}
	if index == k.BlindIndex("phone", value) {
		t.Error("the type does not count")
	}
	if fingerprint != hashing().Fingerprint([]byte("email\x00ada@example.com")) || fingerprint == k.Fingerprint([]byte("email")) {
		t.Error("the fingerprint is not one")
	}
}
