package custody_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// While Vault takes calls and answers none, withdrawals are recorded all the same, whoever else is waiting for it: those
// who ask for the keys that receipts verify with, and those whose writes need a key page that is not at hand.
func TestLaw3WithdrawalWhileVaultHangs(t *testing.T) {
	t.Parallel()
	v := setup(t)
	own := testenv.OwnVault(t)
	keys, err := keyring.OpenVault(t.Context(), keyring.VaultConfig{Address: own.Addr(), KVMount: "consentry", TransitMount: "transit",
		Auth: keyring.VaultAuth{Method: keyring.AuthToken, Token: keyring.Secret(own.RootToken())}}, keyring.Options{Init: true})
	if err != nil {
		t.Fatal(err)
	}
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	v.Service = custody.New(custody.Config{Store: v.store, Keyring: keys, Policy: v.engine, Catalogue: words, Log: slog.New(slog.DiscardHandler), Now: v.clock.Read, Origin: "test.example/audit"})
	service := v.Service
	t.Cleanup(func() { service.Close(); _ = keys.Close() })
	ids := v.many(12)
	for _, id := range ids {
		v.decide(id, privacy.ActionGrant)
	}
	if _, err := v.ReceiptKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := own.Pause(); err != nil {
		t.Fatal(err)
	}
	keys.Forget()
	v.clock.Advance(2 * time.Minute) // the known keys are no longer fresh
	var waiting sync.WaitGroup
	hold, release := context.WithCancel(t.Context())
	for _, id := range ids[1:] {
		waiting.Go(func() { _, _ = v.ReceiptKeys(hold) })
		waiting.Go(func() {
			_, _ = v.RecordConsent(hold, steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant}, custody.Once{})
		})
	}
	// Far less than the calls above wait for one after the other, far more than one call to Vault may take.
	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	recorded, err := v.RecordConsent(deadline, steward, custody.SubjectRef{ID: ids[0]}, custody.Consent{Purpose: marketing, Action: privacy.ActionWithdraw}, custody.Once{})
	if err != nil || recorded.Status != privacy.ConsentWithdrawn {
		t.Errorf("a withdrawal while Vault hangs: %q, %v", recorded.Status, err)
	}
	release()
	if err := own.Resume(); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
}
